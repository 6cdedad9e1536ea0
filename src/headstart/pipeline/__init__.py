"""The shared way from data to a model."""
