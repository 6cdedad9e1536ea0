"""Measures how alike two thumbnails are: shifted and scaled onto each other, then compared block by block.

`rotate` gives a thumbnail in one of the eight orientations of a square. `likeness` takes pairs of thumbnails and
returns how alike each pair is after the second was laid over the first (Lucas and Kanade 1981, with shift and scale of
each axis), from -1 to 1. The comparison is of gradients, block by block, so that what a whole data set shares (a white
board, the bars of a solar cell) does not hide that the rest differs. It opens no files and decides nothing.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float32]

SIDE = 64
"""Of a thumbnail, in pixels."""
ORIENTATIONS = 8
_SMOOTHING = 0.7
_COARSE = ((32, 4, 1.5), (32, 3, 1.0))
_FINE = ((64, 2, 1.0),)
"""Side of the thumbnails, number of steps and width of the blur in pixels, level after level."""
_FARTHEST = np.array([0.12, 0.12, 0.2, 0.2], np.float32)
"""Of a warp: shift and scale."""
_BLOCK = 8
_NOISE = 0.6
"""Root mean square of a gradient, in grey levels a pixel, that recompression alone may leave in a thumbnail."""
_LEAST_RATIO = 0.4
"""A block whose contrast differs by more than this factor between the two does not agree fully."""
_AT_ONCE = 64


def rotate(thumbnails: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Thumbnails (…, side, side) turned by quarters (orientation 0 to 3), or turned and mirrored (4 to 7)."""
    quarter = np.rot90(thumbnails, orientation % 4, axes=(-2, -1))
    return quarter if orientation < 4 else np.swapaxes(quarter, -2, -1)


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8], *, promising: float = -1.0) -> Reals:
    """How alike each pair is: (pairs,) from -1 to 1; 1 for equal images, also where one is a little cropped.

    first, second: (pairs, 64, 64) grey levels, the second already in the right orientation. promising: pairs that fall
    short of it after a coarse comparison are not compared finely; they get what the coarse comparison said, minus 1.
    """
    parts = [
        _compare(first[start : start + _AT_ONCE].astype(np.float32), second[start : start + _AT_ONCE], promising)
        for start in range(0, len(first), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _compare(first: Reals, second: NDArray[np.uint8], promising: float) -> Reals:
    other = second.astype(np.float32)
    warp = np.zeros((len(first), 4), np.float32)
    for side, steps, blur in _COARSE:
        warp = _refine(_shrink(first, side), _shrink(other, side), warp, steps, blur)
    middle = _COARSE[-1][0]
    coarse = _gradient_correlation(_shrink(first, middle), _shrink(other, middle), warp)
    result = coarse - 1
    candidates = np.flatnonzero(coarse >= promising)
    if len(candidates):
        warp = warp[candidates]
        for _, steps, blur in _FINE:
            warp = _refine(first[candidates], other[candidates], warp, steps, blur)
        result[candidates] = _block_agreement(first[candidates], other[candidates], warp)
    return result


def _shrink(images: Reals, side: int) -> Reals:
    step = images.shape[-1] // side
    return images.reshape(len(images), side, step, side, step).mean(axis=(2, 4))  # type: ignore[no-any-return]


def _refine(first: Reals, second: Reals, warp: Reals, steps: int, blur: float) -> Reals:
    """The warp after some Gauss-Newton steps. A warp is shift and relative scale of y and x, in units of the side."""
    from scipy.ndimage import gaussian_filter

    side = first.shape[1]
    target = _standardise(gaussian_filter(first, (0, blur, blur), mode="nearest"))
    smooth = gaussian_filter(second, (0, blur, blur), mode="nearest")
    y, x = _grid(side)
    damping = np.eye(4, dtype=np.float32) * np.float32(side * side * 0.05)
    for _ in range(steps):
        moved = _standardise(_interpolate(smooth, *_places(warp, side)))
        down, across = _gradients(moved)
        slopes = np.stack([down, across, down * y, across * x], axis=1).reshape(len(first), 4, -1) * np.float32(side)
        residual = (target - moved).reshape(len(first), -1, 1)
        # Gauss-Newton: (J J^T + damping) step = J r, with the slopes J of the four parameters and the residual r
        step = np.linalg.solve(slopes @ np.swapaxes(slopes, 1, 2) + damping, slopes @ residual)[..., 0]
        warp = np.clip(warp + step, -_FARTHEST, _FARTHEST)
    return warp


def _gradients(images: Reals) -> tuple[Reals, Reals]:
    """Central differences down and across; 0 at the edges."""
    down, across = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    across[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    return down, across


def _grid(side: int) -> tuple[Reals, Reals]:
    """Coordinates of the pixels from the centre, in units of the side."""
    line = ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)
    y: Reals
    x: Reals
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def _places(warp: Reals, side: int) -> tuple[Reals, Reals]:
    """Where in the second thumbnail each pixel of the first one lies, in pixels."""
    y, x = _grid(side)
    shift_y, shift_x, scale_y, scale_x = (warp[:, i, None, None] for i in range(4))
    whole, centre = np.float32(side), np.float32((side - 1) / 2)
    return (shift_y + y + y * scale_y) * whole + centre, (shift_x + x + x * scale_x) * whole + centre


def _interpolate(images: Reals, y: Reals, x: Reals) -> Reals:
    """Images at fractional places, between the four nearest pixels."""
    side = images.shape[1]
    y, x = np.clip(y, 0, side - 1.001), np.clip(x, 0, side - 1.001)
    top, left = y.astype(np.int32), x.astype(np.int32)
    down, across = y - top.astype(np.float32), x - left.astype(np.float32)
    flat = images.reshape(-1)
    at = (np.arange(len(images), dtype=np.int32) * side * side)[:, None, None] + top * side + left
    upper = flat[at] * (1 - across) + flat[at + 1] * across
    lower = flat[at + side] * (1 - across) + flat[at + side + 1] * across
    return upper * (1 - down) + lower * down  # type: ignore[no-any-return]


def _standardise(images: Reals) -> Reals:
    mean = images.mean(axis=(1, 2), keepdims=True)
    return (images - mean) / np.maximum(images.std(axis=(1, 2), keepdims=True), 1.0)  # type: ignore[no-any-return]


def _gradient_energies(first: Reals, second: Reals, warp: Reals) -> tuple[Reals, Reals, Reals, NDArray[np.bool_]]:
    """Energies of both images' gradients and their inner product, at each pixel that lies in both; and which do."""
    from scipy.ndimage import gaussian_filter

    side = first.shape[1]
    y, x = _places(warp, side)
    inside = (y >= -0.5) & (y <= side - 0.5) & (x >= -0.5) & (x <= side - 0.5)
    smooth = (0, _SMOOTHING, _SMOOTHING)
    a = _gradients(gaussian_filter(first, smooth, mode="nearest"))
    b = _gradients(gaussian_filter(_interpolate(second, y, x), smooth, mode="nearest"))
    energy, other_energy = (a[0] ** 2 + a[1] ** 2) * inside, (b[0] ** 2 + b[1] ** 2) * inside
    return energy, other_energy, (a[0] * b[0] + a[1] * b[1]) * inside, inside


def _gradient_correlation(first: Reals, second: Reals, warp: Reals) -> Reals:
    """Correlation of gradients over the whole image."""
    energy, other_energy, product, _ = (values.sum(axis=(1, 2)) for values in _gradient_energies(first, second, warp))
    # <a, b> / (|a| |b|) of all gradients as one vector
    return product / np.maximum(np.sqrt(energy * other_energy), 1e-6)  # type: ignore[no-any-return]


def _block_agreement(first: Reals, second: Reals, warp: Reals) -> Reals:
    """Agreement of gradients, averaged over blocks: each that is not flat in both counts nearly the same."""
    energy, other_energy, product, inside = _gradient_energies(first, second, warp)
    # the second thumbnail's contrast is scaled to the first's: gradients by gain, energies by its square
    gain = np.sqrt(energy.sum(axis=(1, 2)) / np.maximum(other_energy.sum(axis=(1, 2)), 1e-6))[:, None, None]
    energy, other_energy, product = _blocks(energy), _blocks(other_energy) * gain**2, _blocks(product) * gain
    noise = _NOISE**2 * _blocks(inside.astype(np.float32))
    strongest = np.maximum(energy, other_energy)
    agreement = product / np.maximum(np.maximum(np.sqrt(energy * other_energy), strongest * _LEAST_RATIO), 1e-6)
    weight = strongest / (strongest + noise + 1e-6)  # near 1 for a block with contrast, 0 for a flat one
    return (agreement * weight).sum(axis=(1, 2)) / np.maximum(weight.sum(axis=(1, 2)), 1e-6)  # type: ignore[no-any-return]


def _blocks(values: Reals) -> Reals:
    count = values.shape[1] // _BLOCK
    return values.reshape(len(values), count, _BLOCK, count, _BLOCK).sum(axis=(2, 4))  # type: ignore[no-any-return]
