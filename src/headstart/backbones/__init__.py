"""Pretrained networks as graphs with named taps: the table of them, the packaged ones, and conversion."""
