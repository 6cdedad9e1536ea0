"""What a file is by its first bytes: an image, whatever it is called, and what to do with one that cannot be read.

`looks_like_image` tells whether a file counts among the images of a folder; `describe` says in a phrase what bytes
that no decoder knows are. Neither decodes anything.
"""

from __future__ import annotations

import re
from pathlib import Path

START = 512
"""How many bytes of a file are looked at."""
_HEIC = "a HEIC photograph, which is not supported: convert it to JPEG (heif-convert, or on a Mac: sips -s format jpeg)"
_AVIF = "an AVIF image, which is not supported: convert it to JPEG or PNG (avifdec)"
_JP2 = "a JPEG 2000 image, which is not supported: convert it to PNG (opj_decompress, or ImageMagick)"
_JXL = "a JPEG XL image, which is not supported: convert it to PNG (djxl)"
_DICOM = "a DICOM image, which is not supported: convert it to PNG (dcm2img, or pydicom and Pillow in Python)"
_RAW = "a camera's raw file, which is not supported: convert it to JPEG or TIFF (dcraw, darktable)"
_IMAGES = (
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), _AVIF),
    (re.compile(rb"....ftyp(mif1|msf1).{0,40}avi[fs]", re.DOTALL), _AVIF),
    (re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL), _HEIC),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), _JP2),
    (re.compile(rb"\x00\x00\x00\x0cJXL |\xff\x0a"), _JXL),
    (re.compile(rb".{128}DICM", re.DOTALL), _DICOM),
)
"""Images of formats that are not supported, best known first."""
_OTHERS = (
    (b"<svg", "an SVG drawing, which is not supported: convert it to PNG"),
    (b"<html", "a web page, not an image"),
    (b"<!doctype html", "a web page, not an image"),
    (b"%pdf", "a PDF document, not an image"),
    (b"pk\x03\x04", "a ZIP archive, not an image"),
    (b"version https://git-lfs", "a Git LFS pointer, not the image itself: run  git lfs pull"),
)
_READABLE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|II\*\x00|MM\x00\*|BM....\x00\x00\x00\x00|P[1-6]\s+(#|\d)",
    re.DOTALL,
)
UNSUPPORTED = frozenset(
    {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".dcm", ".dicom", ".svg"}
)
"""Endings, in lower case, of images that count although no decoder reads them."""
RAW = frozenset({".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"})
"""Endings of cameras' raw files: TIFF files outside, whose first page is a small preview."""


def looks_like_image(path: Path | str) -> bool:
    """Whether a file begins as an image does, readable or not; False where it cannot be opened."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(START)
    except OSError:
        return False
    return bool(_READABLE.match(start)) or any(sign.match(start) for sign, _ in _IMAGES)


def describe(start: bytes) -> str | None:
    """What bytes that no decoder knows are, and what to do with them; None where that is not known."""
    for sign, phrase in _IMAGES:
        if sign.match(start):
            return phrase
    lowered = start.lower()
    return next((phrase for sign, phrase in _OTHERS if sign in lowered), None)


def describe_raw(path: Path) -> str | None:
    """What to do with a camera's raw file; None for any other."""
    return _RAW if path.suffix.lower() in RAW else None
