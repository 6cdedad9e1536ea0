"""Augmented views of an image: the image cropped, rotated and recoloured, as a network's input.

`view` takes an image and the number of a view and returns (size, size, 3) uint8. View 0 is the clean one, exactly what
`data.images.decode.decode` makes; every other number is drawn by a generator seeded from the seed, the image's
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
from headstart.data.images.decode import make_square, read_image
from headstart.data.images.spec import ImageSpec
from headstart.records.samples import ImageSource

AUGMENTING = 1  # Raise when a view of the same number gets other pixels: a cache must not mix the two.

Random: TypeAlias = np.random.Generator
Box: TypeAlias = tuple[float, float, float, float]

_ASPECTS = (3 / 4, 4 / 3)
_ATTEMPTS = 10
_MOST_DEGREES = 15.0
_MOST_JITTER = 0.2
_OPERATIONS = 2
_MAGNITUDE = 9 / 30
_ERASE_HALF = 0.5
_ERASE_AREA = (0.02, 0.4)
_ERASE_ASPECTS = (0.3, 1 / 0.3)


@dataclass(frozen=True)
class _Kind:
    """least_area: of the image, that a crop may keep. after: what is done to the square cut out of it."""

    least_area: float
    after: tuple[Callable[[Image.Image, Random, ImageSpec], Image.Image], ...] = ()


def view(source: ImageSource, spec: ImageSpec, kind: str, *, seed: int, content: str, number: int) -> NDArray[np.uint8]:
    """The view `number` of an image as the network's input: (size, size, 3) uint8, RGB, not to be written to.

    kind: one of `KINDS`. content: the image's fingerprint. number: 0 for the clean view, above for augmented ones
    (with the kind `none`, every view is the clean one). Raises `UnreadableImage`.
    """
    one_of("augmentation", kind, KINDS)
    if kind == "none" or number == 0:
        return spec.load(source)
    return augment_image(read_source(source, spec, kind), spec, kind, seed=seed, content=content, number=number)


def read_source(source: ImageSource, spec: ImageSpec, kind: str) -> Image.Image:
    """The image that augmented views are cut from: large enough for the smallest crop. Raises `UnreadableImage`."""
    side = math.ceil(spec.size / math.sqrt(_KINDS[kind].least_area))
    return make_square(read_image(source, near=side), side, spec.fit, spec.ground)


def augment_image(
    image: Image.Image, spec: ImageSpec, kind: str, *, seed: int, content: str, number: int
) -> NDArray[np.uint8]:
    """An augmented view as `view` makes it, of an image that `read_source` gave and that stays as it is."""
    chosen = _KINDS[kind]
    random = np.random.default_rng(int(fingerprint.hash_parts(seed, content, number), 16))
    square = _crop(image, chosen.least_area, spec, random)
    for change in chosen.after:
        square = change(square, random, spec)
    return np.asarray(square)


def _between(random: Random, low: float, high: float) -> float:
    return low + (high - low) * float(random.random())


def _crop(image: Image.Image, least_area: float, spec: ImageSpec, random: Random) -> Image.Image:
    """A random resized crop (Szegedy et al. 2015), mirrored every other time."""
    size = (spec.size, spec.size)
    square = image.resize(size, _filter(spec), _box(image.size, least_area, random))
    return ImageOps.mirror(square) if random.random() < 0.5 else square


def _filter(spec: ImageSpec) -> Image.Resampling:
    return Image.Resampling[spec.interpolation.upper()]


def _box(extent: tuple[int, int], least_area: float, random: Random) -> Box:
    """A box of a random area and aspect within the image; in a strip too narrow for one, the largest in its middle."""
    width, height = extent
    for _ in range(_ATTEMPTS):
        wide, high = _sides(width * height, (least_area, 1.0), _ASPECTS, random)
        if wide <= width and high <= height:
            left, top = _between(random, 0, width - wide), _between(random, 0, height - high)
            return left, top, left + wide, top + high
    wide, high = min(width, height * _ASPECTS[1]), min(height, width / _ASPECTS[0])
    return (width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2


def _sides(
    area: float, share: tuple[float, float], aspects: tuple[float, float], random: Random
) -> tuple[float, float]:
    """Width and height of a rectangle of a random share of an area, its aspect random on a logarithmic scale."""
    area *= _between(random, *share)
    aspect = math.exp(_between(random, math.log(aspects[0]), math.log(aspects[1])))
    return math.sqrt(area * aspect), math.sqrt(area / aspect)


# What is done to the square ------------------------------------------------------------------------------------------


def _jitter(square: Image.Image, random: Random, spec: ImageSpec) -> Image.Image:
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        square = enhance(square).enhance(_between(random, 1 - _MOST_JITTER, 1 + _MOST_JITTER))
    return square


def _tilt(square: Image.Image, random: Random, spec: ImageSpec) -> Image.Image:
    return _rotate(square, _between(random, -_MOST_DEGREES, _MOST_DEGREES), spec)


def _rotate(square: Image.Image, degrees: float, spec: ImageSpec) -> Image.Image:
    return square.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=spec.ground)


def _erase(square: Image.Image, random: Random, spec: ImageSpec) -> Image.Image:
    """Random erasing (Zhong et al. 2020): every other time a rectangle becomes noise."""
    if random.random() < _ERASE_HALF:
        return square
    side = spec.size
    for _ in range(_ATTEMPTS):
        wide, high = (round(length) for length in _sides(side * side, _ERASE_AREA, _ERASE_ASPECTS, random))
        if 0 < wide < side and 0 < high < side:
            left, top = int(_between(random, 0, side - wide)), int(_between(random, 0, side - high))
            noise = (random.random((high, wide, 3)) * 256).astype(np.uint8)
            square.paste(Image.fromarray(noise), (left, top))
            break
    return square


def _rand_augment(square: Image.Image, random: Random, spec: ImageSpec) -> Image.Image:
    """RandAugment (Cubuk et al. 2020): two operations drawn from fourteen, each at magnitude 9 of 30."""
    for _ in range(_OPERATIONS):
        change = _CHANGES[int(random.random() * len(_CHANGES))]
        square = change(square, -1 if random.random() < 0.5 else 1, spec)
    return square


def _enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Callable[..., Image.Image]:
    return lambda square, sign, spec: kind(square).enhance(1 + sign * 0.9 * _MAGNITUDE)


def _shear(square: Image.Image, spec: ImageSpec, across: float, down: float) -> Image.Image:
    middle = spec.size / 2
    return _transform(square, spec, (1, across, -across * middle, down, 1, -down * middle))


def _transform(square: Image.Image, spec: ImageSpec, matrix: tuple[float, ...]) -> Image.Image:
    method = Image.Transform.AFFINE
    return square.transform(square.size, method, matrix, Image.Resampling.BILINEAR, fillcolor=spec.ground)


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
    lambda square, sign, spec: _rotate(square, sign * _DEGREES, spec),
    lambda square, sign, spec: _shear(square, spec, sign * _SHEAR, 0),
    lambda square, sign, spec: _shear(square, spec, 0, sign * _SHEAR),
    lambda square, sign, spec: _transform(square, spec, (1, 0, sign * _SHIFT * spec.size, 0, 1, 0)),
    lambda square, sign, spec: _transform(square, spec, (1, 0, 0, 0, 1, sign * _SHIFT * spec.size)),
    _enhance(ImageEnhance.Color),
    _enhance(ImageEnhance.Contrast),
    _enhance(ImageEnhance.Brightness),
    _enhance(ImageEnhance.Sharpness),
)

_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "light": _Kind(0.5),
        "medium": _Kind(0.5, (_jitter, _tilt)),
        "strong": _Kind(0.25, (_rand_augment, _erase)),
    }
)
KINDS = ("none", *_KINDS)
