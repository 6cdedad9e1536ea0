"""Opens an encoded image; limits formats and size, and says why an image cannot be read.

`open_image` yields a PIL image whose pixels are not decoded yet, from a file or from bytes. Anything that goes wrong
inside a `reasons` block (or while an image is open) is raised as `UnreadableImage` with one readable phrase and no
path. Only the formats listed here are tried, by their first bytes, whatever the file is called.
"""

from __future__ import annotations

import ctypes
import functools
import io
import logging
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    _imaging,
)

from headstart.data.images.lookalikes import START, describe, describe_raw
from headstart.data.images.png import without_large_texts
from headstart.data.images.tiff import TiffImage
from headstart.errors import UnreadableImage

MAX_PIXELS = 250_000_000
"""An image that declares more pixels than this is not decoded: a small file may declare any size."""

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
"""File name endings, in lower case, of the formats that can be read."""

# The base class of JPEG, rather than Pillow's factory: a multi-picture JPEG is its first image.
_FORMATS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImage,
    "PPM": PpmImagePlugin.PpmImageFile,
}


@contextmanager
def open_image(source: Path | bytes) -> Iterator[ImageFile.ImageFile]:
    """The image in a file or in bytes, size known, pixels not decoded yet; open inside the block."""
    with reasons():
        if isinstance(source, Path):
            check_file(source)
            if (raw := describe_raw(source)) is not None:
                raise UnreadableImage(f"it is {raw}")
            with source.open("rb") as stream:
                yield _identify(stream)
        else:
            yield _identify(io.BytesIO(source))


def check_file(path: Path) -> None:
    """Raise `UnreadableImage` unless `path` is an ordinary file with something in it (a pipe would block)."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImage("it is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("it is a pipe or a device, not an ordinary file")
    if status.st_size == 0:
        raise UnreadableImage("the file is empty (0 bytes)")


def check_size(size: tuple[int, int]) -> None:
    """Raise `UnreadableImage` when an image of this width and height has more than `MAX_PIXELS` pixels."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"it declares {width:,} x {height:,} pixels; the limit is {MAX_PIXELS // 10**6} million pixels"
        )


@contextmanager
def reasons() -> Iterator[None]:
    """Raise whatever goes wrong inside as `UnreadableImage` with a phrase that a person can act on."""
    try:
        _silence_pillow()
        yield
    except UnreadableImage:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImage("it declares more pixels than can be decoded safely") from error
    except MemoryError as error:
        raise UnreadableImage("there is not enough memory to decode it") from error
    except OSError as error:
        raise UnreadableImage(_phrase(error)) from error
    except SyntaxError as error:
        if "cannot handle" not in str(error):
            raise UnreadableImage(f"it is damaged ({_one_line(error)})") from error
        raise UnreadableImage("its pixels have other than 8 bits, which is not supported: save it anew") from error
    except Exception as error:  # a decoder may raise anything on damaged bytes
        raise UnreadableImage(f"it is damaged ({_one_line(error)})") from error


@functools.cache
def _silence_pillow() -> None:
    """Silence Pillow's warnings and log about odd metadata, unless this process has its own filters or handlers."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    _silence_libtiff()
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)


def _silence_libtiff() -> None:
    """Let libtiff print nothing of a damaged file on the terminal; where Pillow hides it, it stays as it is."""
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler.argtypes = [ctypes.c_void_p]
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)


def _identify(stream: IO[bytes]) -> ImageFile.ImageFile:
    """The image by the decoder that knows its first bytes.

    Not `PIL.Image.open`: that tries formats which run outside programs, and has a process-wide pixel limit.
    """
    start = stream.read(START)
    if not start:
        raise UnreadableImage("there is nothing in it (0 bytes)")
    for name, decoder in _FORMATS.items():
        accept = Image.OPEN[name][1]
        if accept is None or accept(start[:16]) is True:
            stream.seek(0)
            image = decoder(without_large_texts(stream) if name == "PNG" else stream)
            check_size(image.size)
            return image
    raise UnreadableImage(_unknown(start))


def _unknown(start: bytes) -> str:
    phrase = describe(start)
    if phrase is not None:
        return f"it is {phrase}"
    return "it is not an image in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"


def _phrase(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "there is no permission to read it"
    if "truncated" in str(error).lower():
        return f"the file is cut short ({_one_line(error)})"
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image in a known format"
    return f"it cannot be read ({error.strerror or _one_line(error)})"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
