"""Reads the splits that a column of a table or dataset names, and tells a split column from one that is none.

`read_splits` takes the words of all rows. Without a single split among them, a column that was only found by its name
is ignored, with a note; with some, or where the user named it, the first other word is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from headstart.checks import join_words
from headstart.data.sources.split_names import flag_split, split_of
from headstart.errors import DataError


def read_splits(
    column: str, words: Sequence[str], places: Sequence[str], *, by_user: bool
) -> tuple[list[str] | None, tuple[str, ...]]:
    """The split of each row, None where the column is none, and notes.

    words: the column's cells. places: what to call each row in messages. by_user: whether the user named the column.
    Raises `DataError` for a word that is no split where others are, or where the column was named.

    >>> read_splits("is_valid", ["True", "False"], ["row 1", "row 2"], by_user=False)
    (['val', 'train'], ())
    """
    splits = [split_of(word) or flag_split(column, word) for word in words]
    wrong = [row for row, split in enumerate(splits) if split is None]
    if not wrong:
        return [split for split in splits if split], ()
    if by_user or len(wrong) < len(splits):
        hint = "" if by_user else " (--split-column none ignores the column)"
        raise DataError(
            f"{places[wrong[0]]} has the split {words[wrong[0]]!r}: 'train', 'val' or 'test' was expected{hint}."
        )
    shown = join_words(sorted(set(words)), 3)
    return None, (f"The column {column!r} is ignored: its words are no splits ({shown}).",)
