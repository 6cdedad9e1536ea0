"""Learning curves: measured, fitted, extrapolated."""
