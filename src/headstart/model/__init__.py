"""What is saved and what predicts."""
