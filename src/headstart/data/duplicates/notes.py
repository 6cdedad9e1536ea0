"""What was done about duplicates, in sentences for the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.checks import quantity

ALTERATIONS = "turned, mirrored, cropped, brightened or saved anew"
"""How a near duplicate may differ from what it repeats, in words."""
_MOST_GROUPS = 3
_MOST_NAMES = 4

Names = Sequence[Sequence[str]]
"""Of each group of duplicates the names of its images, each with its class or split."""


def resolution_notes(
    contradictions: Names,
    leaks: Names,
    near_leaks: Names,
    disputed: Names,
    *,
    dropped: tuple[int, int, int],
    duplicates: str,
) -> Iterator[str]:
    """A sentence for each kind of duplicates that there are.

    contradictions, leaks, near_leaks, disputed: as in `Resolution`. dropped: how many images were left out for each of
    the first three. duplicates: the sentence on those that were kept; '' without any.
    """
    contradicting, leaked, near_leaked = (quantity(count, "image") for count in dropped)
    if contradictions:
        yield (
            f"Left out: {contradicting} in {quantity(len(contradictions), 'group')} of exact duplicates that lie in "
            f"more than one class: {_examples(contradictions)}."
        )
    if leaks:
        yield f"Left out: {leaked} that are also in a split that is measured on: {_examples(leaks)}."
    if near_leaks:
        yield (
            f"Left out: {near_leaked} with a near duplicate ({ALTERATIONS}) in a split that is measured on: "
            f"{_examples(near_leaks)}."
        )
    if duplicates:
        yield duplicates
    if disputed:
        yield (
            f"Labels to look at: {quantity(len(disputed), 'group')} of near duplicates "
            f"{'lies' if len(disputed) == 1 else 'lie'} in more than one class: {_examples(disputed)}. They were kept; "
            "'headstart audit' shows them, and 'headstart train --exclude' leaves out what you decide."
        )


def duplicates_note(images: int, redundant: int, exact: int) -> str:
    """How many of the images repeat another one, and how many of these exactly; '' where none does."""
    if not redundant:
        return ""
    nearly = f"{redundant - exact:,} nearly: {ALTERATIONS}"
    how = f"{exact:,} exactly" if exact == redundant else nearly if not exact else f"{exact:,} exactly, {nearly}"
    return (
        f"Duplicates: {redundant:,} of {quantity(images, 'image')} {'repeats' if redundant == 1 else 'repeat'} another "
        f"one ({how}); each stays in one fold with what it repeats."
    )


SHARED_GROUPS = "Some groups lie in more than one split: a score on the test split will be too good for new groups."


def _examples(groups: Names) -> str:
    examples = "; ".join(_equation(names) for names in groups[:_MOST_GROUPS])
    return examples if len(groups) <= _MOST_GROUPS else f"{examples}; and {len(groups) - _MOST_GROUPS:,} more"


def _equation(names: Sequence[str]) -> str:
    """The images of a group; of many the first and the last, which lie furthest apart in the data."""
    if len(names) <= _MOST_NAMES:
        return " = ".join(names)
    return f"{names[0]} = {names[1]} = … = {names[-1]} ({len(names):,} duplicates)"
