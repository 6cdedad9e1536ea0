"""Chooses which column of a table is which: by name, or as the user says.

`choose_columns` takes the names that a table has and those that the user gave, and returns `Columns`. It
reads no rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headstart.checks import join_words, suggest
from headstart.data.sources.split_names import FLAG_COLUMNS
from headstart.errors import DataError, OptionError

NO_COLUMN = "none"
"""What the user gives in place of a column's name so that none is taken."""
_KNOWN = {
    "path": "path image_path file_path filename file image img picture photo img_path image_file image_name id "
    "image_id img_id file_id",
    "label": "label class class_name label_name category category_name target y labels breed species",
    "group": "group group_id patient patient_id subject subject_id person person_id site site_id",
    "split": f"split set subset partition fold {FLAG_COLUMNS}",
}
"""The names that are understood, best first; case, blanks and underscores do not matter."""


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns that matter; None where there is no such column (of labels: an empty name)."""

    path: str
    label: str
    group: str | None = None
    split: str | None = None

    def note(self) -> str:
        """A sentence that says which column was taken for what."""
        pairs = (
            ("images", self.path),
            ("labels", self.label),
            ("groups", self.group),
            ("splits", self.split),
        )
        return "Columns used: " + ", ".join(f"{role} from {name!r}" for role, name in pairs if name) + "."


def choose_columns(
    names: Sequence[str],
    where: str,
    *,
    path: str | None = None,
    label: str | None = None,
    group: str | None = None,
    split: str | None = None,
    labelled: bool = True,
) -> Columns:
    """The columns of a table with these `names`; `where` names the table in messages.

    labelled: whether labels are needed; without, neither labels nor splits are looked for.
    group, split: 'none' takes no column, whatever they are called.
    Raises `OptionError` for a column that was named and is not there, `DataError` when none can be found.

    >>> choose_columns(["File Name", "Class", "age"], "table.csv")
    Columns(path='File Name', label='Class', group=None, split=None)
    """
    return Columns(
        path=_by_user(path, names, where, "path") or _required("path", names, where),
        label=(_by_user(label, names, where, "label") or _required("label", names, where)) if labelled else "",
        group=_optional(group, names, where, "group"),
        split=_optional(split, names, where, "split") if labelled else None,
    )


def _optional(wanted: str | None, names: Sequence[str], where: str, role: str) -> str | None:
    if wanted is not None and wanted.lower() == NO_COLUMN and wanted not in names:
        return None
    return _by_user(wanted, names, where, role) or _by_name(role, names)


def _by_user(wanted: str | None, names: Sequence[str], where: str, role: str) -> str | None:
    if wanted is None or wanted in names:
        return wanted
    hint = suggest(wanted, names, 1)
    suggestion = f" Did you mean {hint[0]!r}?" if hint else ""
    raise OptionError(
        f"the {role} column {wanted!r} was asked for, but {where} has the columns {join_words(names)}.{suggestion}"
    )


def _required(role: str, names: Sequence[str], where: str) -> str:
    column = _by_name(role, names)
    if column is None:
        raise DataError(
            f"{where} has no column that looks like a {role} (such as {join_words(_KNOWN[role].split()[:4])}); "
            f"it has {join_words(names)}: name the right one with --{role}-column."
        )
    return column


def _by_name(role: str, names: Sequence[str]) -> str | None:
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[_plain(known)] for known in _KNOWN[role].split() if _plain(known) in plain), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
