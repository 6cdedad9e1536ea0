"""From a picture to a network's input: the one path that training, prediction, export check and serving share.

`decode` takes a path, a PIL image or an array and an `ImageSpec`, and returns (size, size, 3) uint8: opened, turned as
its EXIF says, first frame, RGB, shorter side resized and centre cropped in one resampling. `read` returns the whole
picture. `content_of` names its bytes. Whatever is wrong with a picture comes out as `UnreadableImage`, whose message is
the reason alone. Normalisation happens inside the graph: mean and std only travel here. Safe to call from threads.
"""

from __future__ import annotations

import functools
import io
import math
import os
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from headstart import fingerprint
from headstart.data import pixels
from headstart.errors import BundleError, OptionError, UnreadableImage
from headstart.records import ImageSource

MAX_PIXELS = 250_000_000
"""A picture that declares more pixels than this is not decoded (a small file may declare any size)."""

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm".split()
)
"""File name endings, in lower case, of what `decode` reads."""

_DECODING = 1  # Raise when `decode` returns other pixels for the same spec: caches must not mix the two.
_MARGIN = 1.4  # A JPEG is decoded at the smallest scale whose shorter side is this many times the wanted one.
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_MOST_SIDE = 8192
