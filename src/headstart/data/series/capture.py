"""When and with what an image was taken, by its EXIF data; images taken one after another with one camera.

Only files are looked into, only their headers are read, and what cannot be read tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from headstart.data.images.open import open_image
from headstart.device import threads
from headstart.errors import UnreadableImage
from headstart.records.samples import ImageSource

_EXIF, _MAKE, _MODEL, _TIME, _TAKEN = 0x8769, 0x010F, 0x0110, 0x0132, 0x9003
_PAUSE = 60.0
"""Seconds between two photographs after which the next one is taken to be of another thing."""
_CHUNK = 64


def burst_keys(items: Sequence[ImageSource]) -> list[str]:
    """A word that photographs share which one camera took within a minute of each other; '' where no time is known."""
    with ThreadPoolExecutor(threads()) as pool:
        captures = list(pool.map(read_capture, items, chunksize=_CHUNK))
    keys = [""] * len(items)
    by_camera: dict[str, list[tuple[float, int]]] = {}
    for row, capture in enumerate(captures):
        if capture is not None:
            by_camera.setdefault(capture[0], []).append((capture[1], row))
    for camera, shots in by_camera.items():
        last, burst = float("-inf"), 0
        for taken, row in sorted(shots):
            burst += taken - last > _PAUSE
            keys[row], last = f"{camera} {burst}", taken
    return keys


def read_capture(item: ImageSource) -> tuple[str, float] | None:
    """The camera and the second at which an image was taken; None where its file does not say."""
    if not isinstance(item, Path):
        return None
    try:
        with open_image(item) as image:
            exif = image.getexif()
            text = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_TIME)
            camera = f"{exif.get(_MAKE, '')} {exif.get(_MODEL, '')}"
        return camera, datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S").timestamp()
    except (UnreadableImage, ValueError, OSError, SyntaxError):
        return None
