"""Fitted heads as plain arrays: what is saved and what predicts."""
