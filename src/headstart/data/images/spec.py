"""What a vision network expects of its input: size, resize, crop, interpolation, and mean and std of the channels.

`ImageSpec` is the image's `InputSpec`: it loads an image as pixels, makes empty batches, and has a fingerprint for
caches. It holds the normalisation for the graph, which applies it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.data.images.decode import DECODING, FILTERS, FITS, decode, find_remarks, hash_content
from headstart.data.images.remarks import remark_notes
from headstart.data.images.resample import Window
from headstart.data.sources.image_list import image_list
from headstart.errors import BundleError, OptionError
from headstart.records.samples import ImageSource, Samples

_MOST_SIDE = 8192
_LEAST_AREA = 0.6
"""Of the usual square's area is in a view at least."""

Channels: TypeAlias = tuple[float, float, float]
"""A number for each of red, green and blue."""


@dataclass(frozen=True)
class ImageSpec:
    """What a vision network expects of its input; it travels with the weights.

    size: side of the centre crop, in pixels.
    resize: what the shorter side becomes before the crop, in pixels; at least `size`.
    mean, std: of each channel, in units of 0..255; applied inside the graph.
    interpolation: `bicubic` or `bilinear`.
    fit: how an image becomes a square: `crop` (the centre), `squeeze` (the whole) or `pad` (the whole, with bands).

    Raises `OptionError` for values outside these.

    >>> ImageSpec(size=224, resize=256, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)).interpolation
    'bicubic'
    """

    size: int
    resize: int
    mean: Channels
    std: Channels
    interpolation: str = "bicubic"
    fit: str = "crop"

    modality: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        if fault := _fault(self):
            raise OptionError(f"an image specification {fault}.")

    def load(self, item: ImageSource) -> NDArray[np.uint8]:
        """The pixels of an image as the network takes them: (size, size, 3) uint8, RGB, read-only.

        Raises `UnreadableImage`.
        """
        return decode(
            item,
            size=self.size,
            resize=self.resize,
            interpolation=self.interpolation,
            fit=self.fit,
            ground=self.ground,
            window=self.window(item),
        )

    def window(self, item: ImageSource) -> Window | None:
        """The smaller part that is shown of an image; None for all that the network looks at."""
        return None

    @property
    def ground(self) -> tuple[int, int, int]:
        """The colour that a network takes for nothing: its mean, zero once it is normalised."""
        red, green, blue = (min(max(round(value), 0), 255) for value in self.mean)
        return red, green, blue

    def buffer(self, count: int) -> NDArray[np.uint8]:
        """An empty batch for `count` images: zeros, (count, size, size, 3) uint8."""
        return np.zeros((count, self.size, self.size, 3), np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values; `from_dict` reads them back."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: object) -> ImageSpec:
        """The specification from `to_dict`'s values; raises `BundleError` for anything else."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or {*values, "fit"} != names:  # weights say nothing of it: the data decide
            keys = sorted(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
            raise BundleError(f"an image specification must have the fields {sorted(names)}; found {keys}.")
        checked: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**checked)
        except OptionError as error:
            raise BundleError(f"{error} The saved model is damaged or foreign.") from error

    def chosen_as(self, values: object) -> ImageSpec:
        """With what was chosen on the data, not by the weights, as a saved model has it."""
        return replace(self, fit=ImageSpec.from_dict(values).fit)

    def items(self, values: Any) -> list[ImageSource]:
        """Images from whatever holds them in Python."""
        return image_list(values)

    def name(self, item: ImageSource, position: int) -> str:
        """What to call an image in tables and messages: its path, or its position."""
        return str(item) if isinstance(item, Path) else f"image {position}"

    def find(self, places: Any) -> Samples:
        """The unlabelled images in files, folders and tables."""
        from headstart.data.sources.load import find_images

        return find_images(places)

    def notes(self, items: Sequence[ImageSource]) -> tuple[str, ...]:
        """What a user should know of how images were read."""
        return remark_notes(find_remarks(items))

    def fingerprint(self) -> str:
        """Names the pixels that `load` makes and the normalisation after it."""
        return fingerprint.hash_parts("image", DECODING, self.to_dict())


@dataclass(frozen=True)
class ViewSpec(ImageSpec):
    """A specification that shows a random smaller window of each image: a further view of it to train on.

    Windows hold 60 to 100 % of the usual square's area and lie anywhere in the image; the same image and number, the
    same window. Nothing is mirrored: left and right may be what tells classes apart. number: of the view. Its
    fingerprint is another one, so that embeddings of views are cached as such. No saved model has it.
    """

    number: int = 0

    @classmethod
    def of(cls, spec: ImageSpec, number: int) -> ViewSpec:
        """The specification with a view."""
        return cls(**{field.name: getattr(spec, field.name) for field in fields(spec)}, number=number)

    def window(self, item: ImageSource) -> Window:
        """Where the view lies."""
        side, left, top = np.random.default_rng([int(hash_content(item)[:15], 16), self.number]).random(3).tolist()
        return Window(math.sqrt(_LEAST_AREA + (1 - _LEAST_AREA) * side), left, top)


def _fault(spec: ImageSpec) -> str | None:
    """What is wrong with a specification, if anything."""
    for name in ("size", "resize"):
        side = getattr(spec, name)
        if type(side) is not int or not 1 <= side <= _MOST_SIDE:
            return f"needs '{name}' as a whole number from 1 to {_MOST_SIDE}; found {side!r}"
    if spec.resize < spec.size:
        return f"cannot crop a square of {spec.size} pixels from a shorter side of {spec.resize}"
    for name in ("mean", "std"):
        if not _is_triple(getattr(spec, name)):
            return f"needs '{name}' as three finite numbers; found {getattr(spec, name)!r}"
    if min(spec.std) <= 0:
        return f"needs 'std' above zero; found {spec.std!r}"
    if spec.interpolation not in FILTERS:
        return f"needs 'interpolation' to be one of {sorted(FILTERS)}; found {spec.interpolation!r}"
    if spec.fit not in FITS:
        return f"needs 'fit' to be one of {list(FITS)}; found {spec.fit!r}"
    return None


def _is_triple(values: object) -> bool:
    if not isinstance(values, tuple) or len(values) != 3:
        return False
    return all(type(v) in (int, float) and math.isfinite(v) for v in values)
