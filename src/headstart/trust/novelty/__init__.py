"""How unlike the training images a new image is."""
