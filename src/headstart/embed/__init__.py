"""The frozen forward pass, fast, and its cache."""
