"""From a picture to a network's input: the one path of training, prediction, export check and serving.

`decode` takes a picture and an `ImageSpec` and returns (size, size, 3) uint8: first frame, turned as its
EXIF says, RGB, shorter side resized and centre cropped in one resampling. `read` returns the whole picture,
`content_of` names its bytes. A picture is a path, a PIL image, an array of pixels, or a one-dimensional
uint8 array that holds an encoded file's bytes. Whatever is wrong with it comes out as `UnreadableImage`,
whose message is the reason alone. Normalisation happens inside the graph: mean and std only travel here.
Safe to call from threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart import fingerprint
from headstart.data.images import to_rgb
from headstart.data.images.open import check_file, check_size, open_image, reasons
from headstart.errors import BundleError, OptionError, UnreadableImage
from headstart.records.samples import ImageSource

_DECODING = 1  # Raise when `decode` returns other pixels for the same spec: a cache must not mix the two.
_MARGIN = 1.4  # JPEG decodes at the smallest scale whose shorter side is this many times the wanted one.
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_MOST_SIDE = 8192
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Three: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class ImageSpec:
    """What a network expects of its input; it travels with the weights.

    size: side of the square that is cut from the centre, in pixels.
    resize: what the shorter side becomes before that, in pixels; at least `size`.
    mean, std: of each channel, in units of 0..255; applied inside the graph.
    interpolation: `bicubic` or `bilinear`.

    >>> ImageSpec(size=224, resize=256, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)).interpolation
    'bicubic'
    """

    size: int
    resize: int
    mean: Three
    std: Three
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if fault := _fault(self):
            raise OptionError(f"an image specification {fault}.")

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values; `from_dict` reads them back."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: object) -> ImageSpec:
        """The specification from `to_dict`'s values; raises `BundleError` for anything else."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) != names:
            found = sorted(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
            raise BundleError(f"an image specification must have the fields {sorted(names)}; found {found}.")
        checked: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**checked)
        except OptionError as error:
            raise BundleError(f"{error} The saved model is damaged or foreign.") from error

    def fingerprint(self) -> str:
        """Names the pixels that `decode` makes and the normalisation after it."""
        return fingerprint.hash_parts("image", _DECODING, self.to_dict())


def _fault(spec: ImageSpec) -> str | None:
    """What is wrong with a specification, if anything."""
    for name in ("size", "resize"):
        side = getattr(spec, name)
        if type(side) is not int or not 1 <= side <= _MOST_SIDE:
            return f"needs '{name}' as a whole number from 1 to {_MOST_SIDE}; found {side!r}"
    if spec.resize < spec.size:
        return f"cannot cut a square of {spec.size} pixels from a shorter side of {spec.resize}"
    for name in ("mean", "std"):
        if not _is_triple(getattr(spec, name)):
            return f"needs '{name}' as three finite numbers; found {getattr(spec, name)!r}"
    if min(spec.std) <= 0:
        return f"needs 'std' above zero; found {spec.std!r}"
    if spec.interpolation not in _FILTERS:
        return f"needs 'interpolation' to be one of {sorted(_FILTERS)}; found {spec.interpolation!r}"
    return None


def _is_triple(values: object) -> bool:
    if not isinstance(values, tuple) or len(values) != 3:
        return False
    return all(type(v) in (int, float) and math.isfinite(v) for v in values)


def decode(source: ImageSource, spec: ImageSpec) -> NDArray[np.uint8]:
    """The network's input for one picture: (size, size, 3) uint8, RGB, not to be written to.

    The shorter side becomes `spec.resize` and a centred square of `spec.size` is cut, both in one
    resampling of the pixels inside that square. A JPEG is decoded at a reduced scale where that leaves
    enough: less than one grey level away, on average, from decoding it whole. Raises `UnreadableImage`.
    """
    picture = _picture(source, spec.resize)
    with reasons():
        width, height = picture.extent
        side = min(width, height) * spec.size / spec.resize
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        square = picture.pixels.resize((spec.size, spec.size), _FILTERS[spec.interpolation], box)
        return np.asarray(_turned(square, picture.turn).convert("RGB"))  # a centred square turns after as before


def read_image(source: ImageSource, *, near: int | None = None) -> Image.Image:
    """The whole picture as RGB, turned as its EXIF says.

    `near` is the shorter side that will be needed, in pixels: a JPEG may then come back smaller than it is,
    with a shorter side of at least 1.4 times that. Raises `UnreadableImage`.
    """
    picture = _picture(source, near)
    with reasons():
        return _turned(picture.pixels, picture.turn).convert("RGB")


def hash_content(source: ImageSource) -> str:
    """Fingerprint of a picture's bytes: the file's for a path, the pixels' for a picture in memory.

    Raises `UnreadableImage` when there are none to read. The picture is not decoded, except a PIL image.
    """
    with reasons():
        if isinstance(source, Path):
            check_file(source)
            return fingerprint.hash_file(source)
        if isinstance(source, Image.Image):
            return _content_of_image(source)
        array = _array(source)
        return fingerprint.hash_bytes(array.tobytes()) if _is_encoded(array) else fingerprint.hash_array(array)


def _content_of_image(image: Image.Image) -> str:
    check_size(image.size)
    body = fingerprint.hash_bytes(image.tobytes())
    palette = image.palette.tobytes().hex() if image.palette else ""
    transparent = repr(image.info.get("transparency"))
    return fingerprint.hash_parts(image.mode, image.size, palette, transparent, str(_turn(image)), body)


class _Picture(NamedTuple):
    """Decoded pixels in mode L or RGB, before they are turned upright.

    extent: width and height that the picture fills; a JPEG at reduced scale may end within its last row or
    column.
    """

    pixels: Image.Image
    extent: tuple[float, float]
    turn: Image.Transpose | None


def _picture(source: ImageSource, near: int | None) -> _Picture:
    if isinstance(source, Path):
        return _decoded(source, near)
    with reasons():
        if isinstance(source, Image.Image):
            return _converted(source, None)
        array = _array(source)
        if not _is_encoded(array):
            picture = to_rgb.from_array(array)
            return _Picture(picture, picture.size, None)
    return _decoded(array.tobytes(), near)


def _decoded(source: Path | bytes, near: int | None) -> _Picture:
    with open_image(source) as picture:
        side = math.ceil((near or 0) * _MARGIN)
        reduced = picture.draft(None, (side, side)) if near else None
        return _converted(picture, reduced[1][2:] if reduced else None)


def _converted(image: Image.Image, extent: tuple[float, float] | None) -> _Picture:
    check_size(image.size)
    image.load()
    return _Picture(to_rgb.from_image(image), extent or image.size, _turn(image))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How the pixels must be turned to stand upright; EXIF data that cannot be read count as absent."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a parser may raise anything on damaged bytes
        return None


def _turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _array(source: object) -> NDArray[Any]:
    if not isinstance(source, np.ndarray):
        raise UnreadableImage(f"a {type(source).__name__} is not a picture: a path, PIL image or array was expected")
    if source.dtype.kind not in "buif":
        raise UnreadableImage(f"an array of {source.dtype} is not a picture: numbers were expected")
    return source


def _is_encoded(array: NDArray[Any]) -> bool:
    return array.ndim == 1 and array.dtype == np.uint8
