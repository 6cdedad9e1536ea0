"""Whether a batch comes from another distribution than the training images."""
