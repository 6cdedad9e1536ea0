"""Words that may say which images are of one thing: from their names, their folders, the time they were taken.

`candidate_keys` gives the usual ones; `keys_by` those of a rule that the user names. A key is a word an image, '' where
there is none. Whether the images agree with it is for `data.series.find` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from headstart.checks import join_words
from headstart.data.series.capture import burst_keys
from headstart.errors import DataError, OptionError
from headstart.records.samples import ImageSource

AUTO, NONE, FOLDER, TIME, NAME = "auto", "none", "folder", "exif-time", "name:"
_LAST_NUMBER = re.compile(r"[\s_\-.(]*\d+\)?$")
_FIRST_NUMBER = re.compile(r"^\D*\d+")


def check_rule(rule: str) -> str:
    """The rule as it stands, or `OptionError` where it is none."""
    if rule in (AUTO, NONE, FOLDER, TIME):
        return rule
    if not rule.startswith(NAME) or rule == NAME:
        raise OptionError(
            f"group_by must be auto, none, folder, exif-time or name:REGEX; found {rule!r}. Write for instance "
            r"'name:^(part\d+)' to hold images together whose names begin alike."
        )
    try:
        re.compile(rule.removeprefix(NAME))
    except re.error as error:
        raise OptionError(f"group_by {rule!r} is no regular expression: {error}.") from None
    return rule


def keys_by(rule: str, names: Sequence[str], items: Sequence[ImageSource]) -> list[str]:
    """The key of each image by the rule that the user named. Raises `DataError` where it tells nothing of any."""
    if rule == FOLDER:
        keys = folder_keys(names)
    elif rule == TIME:
        keys = burst_keys(items)
    else:
        keys = [_matched(rule.removeprefix(NAME), name) for name in names]
    if not any(keys):
        raise DataError(
            f"--group-by {rule} tells nothing of any image (the first are {join_words(list(names[:3]))}): "
            "write another rule, or --group-by none."
        )
    return keys


def _matched(pattern: str, name: str) -> str:
    """The groups of the pattern where it is found in the name, or all that it matches."""
    match = re.search(pattern, PurePosixPath(name).name) or re.search(pattern, name)
    if match is None:
        return ""
    return "\0".join(group or "" for group in match.groups()) if match.groups() else match.group()


def candidate_keys(names: Sequence[str], items: Sequence[ImageSource]) -> Iterator[tuple[str, list[str]]]:
    """What may hold images together, in words, and the key of each image."""
    for words, make in _BY_NAME:
        yield words, make(names)
    yield "their EXIF data say that they were taken one after another", burst_keys(items)


def folder_keys(names: Sequence[str]) -> list[str]:
    """The folder of each image."""
    return [str(PurePosixPath(name).parent) if "/" in name else "" for name in names]


def before_last_number(names: Sequence[str]) -> list[str]:
    """Folder and name without the number at its end: 'cat/part017' of 'cat/part017_3.jpg'; '' without a number.

    >>> before_last_number(["a/part017_3.jpg", "a/part017_(4).jpg", "a/plain.jpg"])
    ['a/part017', 'a/part017', '']
    """
    return [_cut(name, lambda stem: _LAST_NUMBER.sub("", stem) if _LAST_NUMBER.search(stem) else "") for name in names]


def to_first_number(names: Sequence[str]) -> list[str]:
    """Folder and name up to its first number: 'cat/p17' of 'cat/p17_left.jpg'; '' without a number.

    >>> to_first_number(["a/p17_left.jpg", "a/p17-right-2.jpg", "a/plain.jpg"])
    ['a/p17', 'a/p17', '']
    """
    return [_cut(name, lambda stem: match.group() if (match := _FIRST_NUMBER.match(stem)) else "") for name in names]


def _cut(name: str, shorten: Callable[[str], str]) -> str:
    path = PurePosixPath(name)
    short = shorten(path.stem)
    return str(path.parent / short) if short else ""


_BY_NAME: tuple[tuple[str, Callable[[Sequence[str]], list[str]]], ...] = (
    ("their names are alike up to the number at the end", before_last_number),
    ("their names begin with the same number", to_first_number),
    ("they lie in one folder", folder_keys),
)
