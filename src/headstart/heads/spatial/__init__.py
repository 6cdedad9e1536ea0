"""Heads on the maps of frozen taps: cells for boxes, pixels for masks."""
