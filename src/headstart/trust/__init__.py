"""How far a prediction can be trusted: calibration, guarantees, novelty, shift, label issues."""
