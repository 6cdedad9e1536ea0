"""Which predictions are accepted automatically, under a guarantee of selective risk."""
