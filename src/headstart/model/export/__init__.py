"""A saved model as one graph for other runtimes: resampling, network, head and calibration, and proof that it agrees."""
