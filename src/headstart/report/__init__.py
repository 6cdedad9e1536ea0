"""What is shown of a measurement: plots."""
