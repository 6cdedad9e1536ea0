"""Golden images: a few training images kept in the bundle as pixels, beside which an exported model is run.

At most 16, spread over the classes and, within each, over confidences. They are kept as PNG, so that no JPEG decoder
stands between the model and its export, and shrunk to 480 pixels at most. No label and no path is kept. Images from a
bundle are decoded like any other, and trusted as little.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.data.images.decode import read_image
from headstart.errors import BundleError, UnreadableImage
from headstart.records.arrays import Floats, Ints

if TYPE_CHECKING:
    from headstart.model.bundle import Bundle
    from headstart.records.samples import Samples

GOLDEN_FILE = "golden.safetensors"
MOST = 16
_LONGEST = 480


@dataclass(frozen=True, eq=False)
class GoldenImages:
    """PNG files' bytes, (b,) uint8 each."""

    files: tuple[NDArray[np.uint8], ...]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that `read_golden` takes back, by name."""
        return {f"image.{number:02}": file for number, file in enumerate(self.files)}

    def images(self) -> list[NDArray[np.uint8]]:
        """Pixels, (height, width, 3) uint8 each. Raises `BundleError` where they are damaged."""
        try:
            return [np.asarray(read_image(file)) for file in self.files]
        except UnreadableImage as error:
            raise BundleError(f"the golden images are damaged ({error}): train the model again.") from error


def golden_images(samples: Samples, probabilities: Floats) -> GoldenImages:
    """Golden images of labelled samples, whose out-of-fold probabilities (n, K) are known."""
    rows = choose_golden(samples.labels, probabilities.max(axis=1))
    return GoldenImages(tuple(file for row in rows if (file := _shrunk(samples.items[row])) is not None))


def choose_golden(labels: Ints, confidences: Floats, count: int = MOST) -> list[int]:
    """Positions of `count` images: one class after the other, within each from the surest to the least sure.

    >>> choose_golden(np.array([0, 0, 0, 1]), np.array([0.9, 0.5, 0.7, 0.8]), 3)
    [0, 1, 3]
    """
    classes = np.unique(labels)[:count]
    shares = [len(part) for part in np.array_split(np.arange(count), len(classes))]
    rows: list[int] = []
    for label, share in zip(classes, shares, strict=True):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(-confidences[members], kind="stable")]
        places = np.unique(np.linspace(0, len(members) - 1, share).round().astype(int))
        rows += members[places].tolist()
    return rows


def _shrunk(source: Any) -> NDArray[np.uint8] | None:
    try:
        image = read_image(source)
    except UnreadableImage:
        return None
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return np.frombuffer(stream.getvalue(), np.uint8)


def read_golden(saved: Bundle) -> GoldenImages | None:
    """The golden images of a bundle; None where it keeps none. Raises `BundleError` where they are damaged."""
    if GOLDEN_FILE not in saved.manifest["files"]:
        return None
    arrays = saved.arrays(GOLDEN_FILE)
    files: Sequence[NDArray[Any]] = [arrays[name] for name in sorted(arrays)]
    if not 1 <= len(files) <= MOST or any(file.ndim != 1 or file.dtype != np.uint8 for file in files):
        raise BundleError(f"the golden images of {saved.folder} are damaged: train the model again.")
    return GoldenImages(tuple(files))
