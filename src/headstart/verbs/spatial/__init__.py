"""What people call on boxes and masks: train, evaluate, audit."""
