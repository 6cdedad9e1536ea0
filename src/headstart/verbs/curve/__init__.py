"""Learning curve."""
