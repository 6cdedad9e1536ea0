"""What tutorials say, and how alike the data are to ImageNet."""
