"""What can be predicted: the nouns, each as data."""
