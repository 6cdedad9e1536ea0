"""Saved detectors and segmenters, and what predicts with them."""
