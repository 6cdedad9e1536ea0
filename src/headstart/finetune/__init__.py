"""Training inside a backbone: which parts, on what, and how."""
