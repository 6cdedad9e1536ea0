"""A saved model as one graph for other runtimes, from pixels to decisions, and the proof that it agrees."""
