"""What a user should know of how images were read: a few flags an image, and a sentence with a count for each.

`Remark`s come from `decode.read_remarks`; `remark_notes` counts them. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag

from headstart.checks import quantity


class Remark(IntFlag):
    """What was left out of an image, or how it was laid out, when it was read."""

    NONE = 0
    PAGES = 1
    EMPTY_ALPHA = 2
    CHANNELS = 4
    BLACK_GROUND = 8


_WORDS = {
    Remark.PAGES: ("holds several pages or frames", "hold several pages or frames", "the first was read"),
    Remark.EMPTY_ALPHA: (
        "is transparent everywhere",
        "are transparent everywhere",
        "the transparency was left out and the colours were read",
    ),
    Remark.CHANNELS: (
        "has a further channel that is no opacity (such as near infrared)",
        "have further channels that are no opacity (such as near infrared)",
        "the usual colours were read",
    ),
    Remark.BLACK_GROUND: (
        "shows something white on a transparent ground",
        "show something white on a transparent ground",
        "black was laid under it instead of white",
    ),
}


def remark_notes(remarks: Iterable[int]) -> tuple[str, ...]:
    """A sentence for each kind of remark, with the number of images.

    >>> remark_notes([1, 0, 1])
    ('2 images hold several pages or frames: the first was read.',)
    """
    remarks = [int(value) for value in remarks]
    counts = {remark: sum(bool(value & remark) for value in remarks) for remark in _WORDS}
    return tuple(
        f"{quantity(count, 'image')} {_WORDS[remark][0 if count == 1 else 1]}: {_WORDS[remark][2]}."
        for remark, count in counts.items()
        if count
    )
