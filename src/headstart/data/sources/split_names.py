"""Reads which split a name means: of a folder ('seg_train', 'test_set', 'Validation images') or of a table's cell.

`split_of` reads one name, `folder_roles` all names that stand side by side, so that what they share ('plants_train',
'plants_test') does not count. `flag_split` reads a yes-or-no column such as 'is_valid'. No folder is opened here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

UNLABELLED_ROLE = "unlabelled"
"""The role of a folder of images that wait for a prediction."""
_WORDS = {
    "train": "train training trn trainval",
    "val": "val valid validation dev development eval evaluation",
    "test": "test testing tst holdout",
    UNLABELLED_ROLE: "pred preds predict prediction predictions inference submission unlabelled unlabeled unknown",
}
_ROLE_OF = {word: role for role, words in _WORDS.items() for word in words.split()}
_FILLERS = frozenset(
    {"set", "sets", "data", "dataset", "images", "image", "img", "imgs", "photos", "pictures", "files", "folder", "dir"}
    | {"split", "seg", "public", "private"}
)
"""Words beside the role in names of folders."""
_COMPOUND = re.compile(f"({'|'.join(sorted(_ROLE_OF, key=len, reverse=True))})({'|'.join(sorted(_FILLERS))})")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN = re.compile(r"[^\W\d_]+")
_FLAGS = {
    "isvalid": ("val", "train"),
    "isval": ("val", "train"),
    "isvalidation": ("val", "train"),
    "istest": ("test", "train"),
    "istrain": ("train", "test"),
    "istraining": ("train", "test"),
    "istrainingimage": ("train", "test"),
}
"""What true and false mean in a column of this name."""
_TRUE, _FALSE = frozenset(["true", "t", "yes", "y", "1", "1.0"]), frozenset(["false", "f", "no", "n", "0", "0.0"])
FLAG_COLUMNS = "is_valid is_val is_validation is_test is_train is_training is_training_image"


def split_of(word: str) -> str | None:
    """The split that the name of a folder or the text of a cell means, whatever its case; None for any other.

    >>> split_of("Validation"), split_of("seg_train"), split_of("test_set-1"), split_of("cats")
    ('val', 'train', 'test', None)
    """
    role, rest = _read(word)
    return None if rest or role == UNLABELLED_ROLE else role


def folder_roles(names: Sequence[str]) -> list[str | None]:
    """What each of the names side by side stands for: a split, `UNLABELLED_ROLE`, or None where it is neither.

    >>> folder_roles(["plants_train", "plants_test"]), folder_roles(["train", "steam_train"])
    (['train', 'test'], ['train', None])
    """
    readings = [_read(name) for name in names]
    same_rest = len({rest for _, rest in readings}) == 1
    return [role if same_rest or not rest else None for role, rest in readings]


def only_fillers(name: str) -> bool:
    """Whether a name says nothing of what is in it: 'images', 'data 1', 'unknown', 'test'."""
    return not _read(name)[1]


def flag_split(column: str, word: str) -> str | None:
    """The split that a cell of a column such as 'is_valid' means; None where either is something else.

    >>> flag_split("is_valid", "True"), flag_split("is_valid", "0"), flag_split("split", "True")
    ('val', 'train', None)
    """
    meanings = _FLAGS.get("".join(_TOKEN.findall(column.lower())))
    if meanings is None:
        return None
    text = word.strip().lower()
    return meanings[0] if text in _TRUE else meanings[1] if text in _FALSE else None


def _read(word: str) -> tuple[str | None, tuple[str, ...]]:
    """The role that a name means, and the words in it that neither say a role nor are fillers."""
    words = _HUMP.sub(" ", unicodedata.normalize("NFC", word))
    roles, rest = [], []
    for token in _TOKEN.findall(words.lower()):
        compound = _COMPOUND.fullmatch(token)
        token = compound[1] if compound else token
        if token in _ROLE_OF:
            roles.append(_ROLE_OF[token])
        elif token not in _FILLERS:
            rest.append(token)
    return (roles[0] if len(set(roles)) == 1 else None), tuple(rest)
