"""Domain adaptation on embeddings: labelled images come from one domain, the images to predict from another."""
