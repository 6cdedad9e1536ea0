"""Images as small JPEGs inside a page, so that one file shows all it speaks of.

Takes an image source, returns a data URI. An image that is gone leaves the reason in its place.
"""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

from headstart.data.images.decode import read_image
from headstart.errors import UnreadableImage
from headstart.records.samples import ImageSource
from headstart.report.inline_texts import text_uri

_QUALITY = 82


class InlineImage(NamedTuple):
    """An image for a page: its data URI, or '' and why it cannot be read."""

    uri: str
    reason: str = ""


def inline_image(source: ImageSource, side: int, *, whole: bool = False) -> InlineImage:
    """An image with its longer side at most `side` pixels, or the reason why there is none.

    whole: show all of a text, not its beginning.
    """
    if isinstance(source, str):
        return InlineImage(text_uri(source, whole=whole))
    try:
        return InlineImage(data_uri(source, side))
    except UnreadableImage as error:
        return InlineImage("", str(error))


def data_uri(source: ImageSource, side: int) -> str:
    """An image as a JPEG in a data URI, its longer side at most `side` pixels; raises `UnreadableImage`."""
    image = read_image(source, near=side)
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
