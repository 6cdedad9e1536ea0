"""The frozen pass that keeps positions: images on a canvas, taps as maps."""
