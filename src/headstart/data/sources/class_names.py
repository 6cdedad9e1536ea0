"""Names of classes that may mean the same: Unicode forms are joined, other likenesses are said.

`unify_classes` gives every name its composed form (NFC), because an accented letter can be written in two ways that no
person can tell apart. Names that differ in case or blanks alone stay classes of their own: only the user knows whether
they are.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from headstart.checks import join_words


def composed(name: str) -> str:
    """A name in its composed Unicode form (NFC)."""
    return unicodedata.normalize("NFC", name)


def unify_classes(labels: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    r"""The labels in their composed form, and notes on what was joined and on what looks alike.

    >>> unify_classes(["cafe\u0301", "caf\u00e9"])
    (['café', 'café'], ("Joined: 'café', which was written in two Unicode forms.",))
    """
    forms = defaultdict(set)
    for label in dict.fromkeys(labels):
        forms[composed(label)].add(label)
    notes = []
    if both := sorted(name for name, forms_of_name in forms.items() if len(forms_of_name) > 1):
        notes.append(f"Joined: {join_words(both)}, which was written in two Unicode forms.")
    if likenesses := similar_names(forms):
        words = ", ".join(likenesses[:5]) + (f" and {len(likenesses) - 5} more" if len(likenesses) > 5 else "")
        notes.append(
            f"Names that differ only in case or blanks are different classes here: {words}; rename one if they are "
            "the same."
        )
    return [composed(label) for label in labels], tuple(notes)


def similar_names(names: Iterable[str]) -> list[str]:
    """The names that differ only in case or blanks, a phrase for each likeness.

    >>> similar_names(["a b", "dog", "A_b"])
    ["'A_b' and 'a b'"]
    """
    likenesses = defaultdict(list)
    for name in sorted(set(names)):
        likenesses["".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())].append(name)
    return [" and ".join(map(repr, group)) for _, group in sorted(likenesses.items()) if len(group) > 1]


def likeness_hint(names: Iterable[str]) -> str:
    """A phrase for messages about names that do not match; empty where none look alike."""
    alike = similar_names(names)
    return f" ({', '.join(alike[:3])} differ only in case or blanks)" if alike else ""
