"""The numerical solvers behind the heads."""
