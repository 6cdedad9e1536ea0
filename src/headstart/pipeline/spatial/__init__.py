"""From images with boxes or masks to a measured head on frozen taps."""
