"""Images and labels from wherever they are: sources, decoding, duplicates, folds."""
