"""Data on the way in: sources, decoding, duplicates, the cleaning plan, sampling and folds."""
