"""What a TIFF declares of its pixels, where Pillow does not act on it.

`TiffImage` is Pillow's reader that refuses, with what was found, each layout that would be read wrongly or not at all.
`white_level` and `is_inverted` say how whole numbers and floats of a layout that is read become grey levels. No pixels
are decoded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageFile, TiffImagePlugin

from headstart.errors import UnreadableImage

_BITS, _COMPRESSION, _COLOURS, _CHANNELS, _MAXIMUM = 258, 259, 262, 277, 281
_PLANES, _EXTRA, _FORMAT, _SUBSAMPLING, _REDUCED = 284, 338, 339, 530, 254
_UNSIGNED, _SIGNED = 1, 2
_KINDS = {1: "whole numbers", 2: "signed whole numbers", 3: "floating-point numbers", 5: "complex whole numbers"}
_KINDS |= {6: "complex numbers"}
_MIN_IS_WHITE, _YCBCR = 0, 6
_PLAIN, _SEPARATE = 1, 2
_RAW = 1
_NATIVE = {"I;16BS": "I;16NS", "F;32BF": "F;32NF"}
"""Pillow's names of pixels with the most significant byte first → in the machine's own order."""
_RGB, _CMYK = 2, 5
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2
PREMULTIPLIED = "premultiplied"
"""In an image's `info`: the colours have been multiplied by the opacity already."""
_USUAL = {2: 3, 5: 4, 6: 3, 8: 3}
"""Photometric interpretation → colour channels (RGB, CMYK, YCbCr, Lab); one for grey and palettes."""
_STRANGE = {
    4: "a transparency mask",
    9: "ICC Lab colours",
    10: "ITU Lab colours",
    32803: "a camera's raw mosaic",
    32844: "logarithmic grey levels",
    32845: "logarithmic colours",
    34892: "a camera's linear raw colours",
}
_MOST_PAGES = 64

Tags = Mapping[int, Any]


class TiffImage(TiffImagePlugin.TiffImageFile):
    """Pillow's TIFF reader; a layout that is not read as it is meant raises `UnreadableImage`."""

    def _setup(self) -> None:
        check_layout(self.tag_v2)
        if _count(self.tag_v2) == 1:
            self.tag_v2[_PLANES] = _PLAIN  # of one channel the planes say nothing, and Pillow would not invert it
        if _ASSOCIATED in (extra := self.tag_v2.get(_EXTRA, ())):
            # Pillow would divide by the opacity before anybody can see whether it is one
            self.tag_v2[_EXTRA] = tuple(_UNASSOCIATED if kind == _ASSOCIATED else kind for kind in extra)
            self.info[PREMULTIPLIED] = True
        try:
            super()._setup()
        except SyntaxError as error:  # Pillow has no such combination of channels, bits and colours
            raise UnreadableImage(_layout(self.tag_v2)) from error
        if self.use_load_libtiff:  # which gives numbers in the machine's order of bytes, whatever the file's
            self.tile = [_in_native_order(tile) for tile in self.tile]


def tags_of(image: Image.Image) -> Tags:
    """The tags of an image that was opened from a TIFF; none for any other."""
    tags: Tags = getattr(image, "tag_v2", {})
    return tags


def check_layout(tags: Tags) -> None:
    """Raise `UnreadableImage` for a layout that Pillow would read wrongly without a word."""
    colours = tags.get(_COLOURS, _MIN_IS_WHITE)
    if colours in _STRANGE:
        raise UnreadableImage(f"it holds {_STRANGE[colours]}, which is not supported: save it as RGB")
    separate, raw = tags.get(_PLANES, _PLAIN) == _SEPARATE and _count(tags) > 1, tags.get(_COMPRESSION, _RAW) == _RAW
    wrong = (
        (_bits(tags) == 8 and _kind(tags) == _SIGNED)
        or (_bits(tags) == 32 and _kind(tags) in (_UNSIGNED, _SIGNED))  # where white lies nobody says
        or (separate and (_bits(tags) > 8 or colours == _YCBCR))
        or (separate and not raw and _ASSOCIATED in tags.get(_EXTRA, ()))
        or (separate and raw and (colours not in (_RGB, _CMYK) or further_channels(tags) > 0))
    )
    if wrong:
        raise UnreadableImage(_layout(tags))
    if colours == _YCBCR and raw and tags.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise UnreadableImage("its colours are stored at a lower resolution without compression: save it as RGB")


def white_level(tags: Tags, highest: int, default: int) -> int:
    """The whole number that stands for white. highest: of the image's numbers. default: of an image without tags.

    The greatest number that the declared bits hold; 16 bits may declare fewer by their maximum (4095 for 12).
    """
    if not tags:
        return default
    bits = _bits(tags) - (_kind(tags) == _SIGNED)
    most = int((1 << bits) - 1)
    declared = tags.get(_MAXIMUM, (most,))
    maximum = declared[0] if isinstance(declared, tuple) and declared else declared
    # other numbers than 2^n - 1 are the image's own highest value, which says nothing of white
    fewer = isinstance(maximum, int) and 255 < maximum < most and maximum & (maximum + 1) == 0
    return int(maximum) if fewer and highest <= maximum else most


def is_inverted(tags: Tags) -> bool:
    """Whether 0 is white; of whole numbers above eight bits and of floats Pillow leaves that to the reader."""
    return bool(tags) and tags.get(_COLOURS, _MIN_IS_WHITE) == _MIN_IS_WHITE


def further_channels(tags: Tags) -> int:
    """How many channels there are besides the colours and what is declared as opacity."""
    extra = tags.get(_EXTRA, ())
    return sum(kind == _UNSPECIFIED for kind in extra)


def has_pages(image: Image.Image) -> bool:
    """Whether a file holds a further page or frame; a page of reduced size (a preview) does not count."""
    try:
        for page in range(1, _MOST_PAGES):
            image.seek(page)
            if not tags_of(image).get(_REDUCED, 0) & 1:
                return True
    except EOFError:
        return False
    except Exception:  # a page that cannot be read is a page
        return True
    return False


def _in_native_order(tile: ImageFile._Tile) -> ImageFile._Tile:
    arguments: Any = tile.args
    return tile._replace(args=(_NATIVE.get(arguments[0], arguments[0]), *arguments[1:]))


def _bits(tags: Tags) -> int:
    return int(max(tags.get(_BITS, (1,)), default=1))


def _kind(tags: Tags) -> int:
    return int(max(tags.get(_FORMAT, (_UNSIGNED,)), default=_UNSIGNED))


def _count(tags: Tags) -> int:
    return int(tags.get(_CHANNELS, 1))


def _layout(tags: Tags) -> str:
    """What an image's pixels are, and what to do."""
    numbers = f"{_bits(tags)}-bit {_KINDS.get(_kind(tags), 'numbers of an unknown kind')}"
    count = _count(tags)
    if count == 1:
        return f"its pixels are {numbers}, which is not supported: save it as grey with 8 or 16 bits"
    if count == 2:
        return f"it has 2 channels of {numbers}, which is not supported: save one as grey with 8 or 16 bits"
    if count <= _USUAL.get(tags.get(_COLOURS, _MIN_IS_WHITE), 1) + 1:
        apart = " in separate planes" if tags.get(_PLANES, _PLAIN) == _SEPARATE else ""
        return f"it has {count} channels of {numbers}{apart}, which is not supported: save three as RGB with 8 bits"
    return f"it has {count} channels of {numbers}: save three as RGB with 8 bits"
