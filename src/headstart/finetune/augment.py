"""Augmented views of a picture: the same picture cut, turned and coloured anew, as a network's input.

`view` takes a picture and the number of a view and returns (size, size, 3) uint8. View 0 is the clean one, exactly what
`data.images.decode.decode` makes; every other number is drawn by a generator seeded from the seed, the picture's
fingerprint and the number, so that a view does not depend on the machine, the thread or what came before. Pixels are
changed by PIL alone. Safe to call from threads; neither torch nor a cache here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from headstart import fingerprint
from headstart.checks import one_of
from headstart.data.images.decode import read_image
from headstart.data.images.spec import ImageSpec
from headstart.records.samples import ImageSource

AUGMENTING = 1  # Raise when a view of the same number gets other pixels: a cache must not mix the two.

Draw: TypeAlias = np.random.Generator
Box: TypeAlias = tuple[float, float, float, float]

_ASPECTS = (3 / 4, 4 / 3)
_ATTEMPTS = 10
_MOST_DEGREES = 15.0
_MOST_JITTER = 0.2
_OPERATIONS = 2
_MAGNITUDE = 9 / 30
_ERASED_HALF = 0.5
_ERASED_AREA = (0.02, 0.4)
_ERASED_ASPECTS = (0.3, 1 / 0.3)


@dataclass(frozen=True)
class _Kind:
    """least_area: of the picture, that a cut may keep. after: what is done to the square cut out of it."""

    least_area: float
    after: tuple[Callable[[Image.Image, Draw, ImageSpec], Image.Image], ...] = ()


def view(source: ImageSource, spec: ImageSpec, kind: str, *, seed: int, content: str, number: int) -> NDArray[np.uint8]:
    """The view `number` of a picture as the network's input: (size, size, 3) uint8, RGB, not to be written to.

    kind: one of `KINDS`. content: the picture's fingerprint. number: 0 for the clean view, above for augmented ones
    (with the kind `none`, every view is the clean one). Raises `UnreadableImage`.
    """
    one_of("augmentation", kind, KINDS)
    if kind == "none" or number == 0:
        return spec.load(source)
    return augment_image(whole(source, spec, kind), spec, kind, seed=seed, content=content, number=number)


def whole(source: ImageSource, spec: ImageSpec, kind: str) -> Image.Image:
    """The picture that augmented views are cut from: large enough for the smallest cut. Raises `UnreadableImage`."""
    return read_image(source, near=math.ceil(spec.size / math.sqrt(_KINDS[kind].least_area)))


def augment_image(
    picture: Image.Image, spec: ImageSpec, kind: str, *, seed: int, content: str, number: int
) -> NDArray[np.uint8]:
    """An augmented view as `view` makes it, of what `whole` gave (which serves many views, and stays as it is)."""
    chosen = _KINDS[kind]
    draw = np.random.default_rng(int(fingerprint.hash_parts(seed, content, number), 16))
    square = _cut(picture, chosen.least_area, spec, draw)
    for change in chosen.after:
        square = change(square, draw, spec)
    return np.asarray(square)


def _between(draw: Draw, low: float, high: float) -> float:
    return low + (high - low) * float(draw.random())


def _cut(picture: Image.Image, least_area: float, spec: ImageSpec, draw: Draw) -> Image.Image:
    """A random resized crop (Szegedy et al. 2015), mirrored every other time."""
    size = (spec.size, spec.size)
    square = picture.resize(size, _filter(spec), _box(picture.size, least_area, draw))
    return ImageOps.mirror(square) if draw.random() < 0.5 else square


def _filter(spec: ImageSpec) -> Image.Resampling:
    return Image.Resampling[spec.interpolation.upper()]


def _box(extent: tuple[int, int], least_area: float, draw: Draw) -> Box:
    """A box of a drawn area and aspect within the picture; in a strip too narrow for one, the largest in its middle."""
    width, height = extent
    for _ in range(_ATTEMPTS):
        wide, high = _sides(width * height, (least_area, 1.0), _ASPECTS, draw)
        if wide <= width and high <= height:
            left, top = _between(draw, 0, width - wide), _between(draw, 0, height - high)
            return left, top, left + wide, top + high
    wide, high = min(width, height * _ASPECTS[1]), min(height, width / _ASPECTS[0])
    return (width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2


def _sides(area: float, share: tuple[float, float], aspects: tuple[float, float], draw: Draw) -> tuple[float, float]:
    """Width and height of a rectangle of a drawn share of an area, its aspect drawn on a logarithmic scale."""
    area *= _between(draw, *share)
    aspect = math.exp(_between(draw, math.log(aspects[0]), math.log(aspects[1])))
    return math.sqrt(area * aspect), math.sqrt(area / aspect)


# What is done to the square ------------------------------------------------------------------------------------------


def _jittered(square: Image.Image, draw: Draw, spec: ImageSpec) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        square = enhance(square).enhance(_between(draw, 1 - _MOST_JITTER, 1 + _MOST_JITTER))
    return square


def _tilted(square: Image.Image, draw: Draw, spec: ImageSpec) -> Image.Image:
    return _turned(square, _between(draw, -_MOST_DEGREES, _MOST_DEGREES), spec)


def _turned(square: Image.Image, degrees: float, spec: ImageSpec) -> Image.Image:
    return square.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=_mean(spec))


def _mean(spec: ImageSpec) -> tuple[int, int, int]:
    """What a network takes for nothing: zero once it is normalised."""
    red, green, blue = (min(max(round(value), 0), 255) for value in spec.mean)
    return red, green, blue


def _erased(square: Image.Image, draw: Draw, spec: ImageSpec) -> Image.Image:
    """Random erasing (Zhong et al. 2020): every other time a rectangle becomes noise."""
    if draw.random() < _ERASED_HALF:
        return square
    side = spec.size
    for _ in range(_ATTEMPTS):
        wide, high = (round(length) for length in _sides(side * side, _ERASED_AREA, _ERASED_ASPECTS, draw))
        if 0 < wide < side and 0 < high < side:
            left, top = int(_between(draw, 0, side - wide)), int(_between(draw, 0, side - high))
            noise = (draw.random((high, wide, 3)) * 256).astype(np.uint8)
            square.paste(Image.fromarray(noise), (left, top))
            break
    return square


def _rand_augmented(square: Image.Image, draw: Draw, spec: ImageSpec) -> Image.Image:
    """RandAugment (Cubuk et al. 2020): two operations drawn from fourteen, each at magnitude 9 of 30."""
    for _ in range(_OPERATIONS):
        change = _CHANGES[int(draw.random() * len(_CHANGES))]
        square = change(square, -1 if draw.random() < 0.5 else 1, spec)
    return square


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Callable[..., Image.Image]:
    return lambda square, sign, spec: kind(square).enhance(1 + sign * 0.9 * _MAGNITUDE)


def _sheared(square: Image.Image, spec: ImageSpec, across: float, down: float) -> Image.Image:
    middle = spec.size / 2
    return _moved(square, spec, (1, across, -across * middle, down, 1, -down * middle))


def _moved(square: Image.Image, spec: ImageSpec, matrix: tuple[float, ...]) -> Image.Image:
    method = Image.Transform.AFFINE
    return square.transform(square.size, method, matrix, Image.Resampling.BILINEAR, fillcolor=_mean(spec))


_SHEAR = 0.3 * _MAGNITUDE
_SHIFT = 150 / 331 * _MAGNITUDE  # of the side
_DEGREES = 30 * _MAGNITUDE
_BITS = 8 - round(4 * _MAGNITUDE)
_THRESHOLD = 256 - round(256 * _MAGNITUDE)

_CHANGES: tuple[Callable[[Image.Image, int, ImageSpec], Image.Image], ...] = (
    lambda square, sign, spec: square,
    lambda square, sign, spec: ImageOps.autocontrast(square),
    lambda square, sign, spec: ImageOps.equalize(square),
    lambda square, sign, spec: ImageOps.solarize(square, _THRESHOLD),
    lambda square, sign, spec: ImageOps.posterize(square, _BITS),
    lambda square, sign, spec: _turned(square, sign * _DEGREES, spec),
    lambda square, sign, spec: _sheared(square, spec, sign * _SHEAR, 0),
    lambda square, sign, spec: _sheared(square, spec, 0, sign * _SHEAR),
    lambda square, sign, spec: _moved(square, spec, (1, 0, sign * _SHIFT * spec.size, 0, 1, 0)),
    lambda square, sign, spec: _moved(square, spec, (1, 0, 0, 0, 1, sign * _SHIFT * spec.size)),
    _enhanced(ImageEnhance.Color),
    _enhanced(ImageEnhance.Contrast),
    _enhanced(ImageEnhance.Brightness),
    _enhanced(ImageEnhance.Sharpness),
)

_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "light": _Kind(0.5),
        "medium": _Kind(0.5, (_jittered, _tilted)),
        "strong": _Kind(0.25, (_rand_augmented, _erased)),
    }
)
KINDS = ("none", *_KINDS)
