"""Sentences that were written of images, said of another kind of data.

`reword` puts another noun in the place of 'image'. What stands in quotes or in a path is the user's, and stays.
"""

from __future__ import annotations

import re

IMAGE = "image"
_QUOTED = re.compile(r"('[^']*')")
_NOUN = re.compile(r"(?<![\w/.\\-])(image|Image|IMAGE)(s|S)?(?![\w/\\-]|\.\w)")
_ALTERED = re.compile(r"turned, mirrored, cropped, brightened or saved anew")
_TEXT_ALTERED = "in other case, spacing or punctuation, or with a few letters changed"


def reword(sentence: str, noun: str) -> str:
    """The sentence with another noun in the place of 'image', outside of quotes and paths.

    >>> reword("2 images of 'image' in my/image.csv: one Image, IMAGES", "text")
    "2 texts of 'image' in my/image.csv: one Text, TEXTS"
    """
    if noun == IMAGE:
        return sentence

    def other(match: re.Match[str]) -> str:
        word = {"image": noun, "Image": noun.capitalize()}.get(match[1], noun.upper())
        return word + (match[2] or "")

    parts = _QUOTED.split(sentence)
    said = "".join(part if i % 2 else _NOUN.sub(other, part) for i, part in enumerate(parts))
    return _ALTERED.sub(_TEXT_ALTERED, said)
