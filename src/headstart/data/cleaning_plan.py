"""The cleaning plan of an audit: which images to leave out, keep or hold together; a CSV that a person edits.

`write_plan` writes one (columns path, action, reason, group), `read_plan` reads it back and says what is wrong with it,
`exclude_rows` applies it to samples, `apply_plan` a file of it to a dataset. `path` is the image's name as Headstart
prints it: relative to the data's folder, or as the table has it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart import fingerprint
from headstart.checks import join_words, quantity, suggest
from headstart.data.duplicates.near import merge_groups
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import existing_path
from headstart.errors import DataError
from headstart.records.samples import Samples
from headstart.storage.files import write_atomically

EXCLUDE, KEEP, GROUP = "exclude", "keep", "group"
ACTIONS = (EXCLUDE, KEEP, GROUP)
COLUMNS = ("path", "action", "reason", "group")


@dataclass(frozen=True)
class PlanLine:
    """What to do with one image.

    path: the image's name. action: one of `ACTIONS`. reason: for a person. group: a word shared by images that belong
    together; '' for none.
    """

    path: str
    action: str
    reason: str = ""
    group: str = ""


@dataclass(frozen=True)
class CleaningPlan:
    """A plan as read: what to do with the images it names.

    exclude: names of images to leave out. groups: name → word of the group it is in, of images that stay. keep: names
    of images that stay as they are.
    """

    exclude: tuple[str, ...]
    groups: Mapping[str, str]
    keep: tuple[str, ...] = ()


def write_plan(path: Path, lines: Sequence[PlanLine]) -> None:
    """Write a plan; raises `OSError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((line.path, line.action, line.reason, line.group) for line in lines)
    write_atomically(path, text.getvalue().encode())


def read_plan(path: Path) -> CleaningPlan:
    """Read a plan from a file.

    An image that is excluded is in no group. Raises `DataError` that names the line where the plan cannot be applied.
    """
    exclude: dict[str, int] = {}
    groups: dict[str, str] = {}
    for number, row in _rows(path):
        name, action, group = row["path"], row["action"].strip().lower(), row["group"].strip()
        _check(path, number, name, action, group)
        if name in exclude or name in groups:
            raise DataError(f"{path}, line {number}: {name!r} is there a second time; keep one of its lines.")
        if action == EXCLUDE:
            exclude[name] = number
        else:
            groups[name] = group if action == GROUP else ""
    alone = tuple(name for name, group in groups.items() if not group)
    return CleaningPlan(tuple(exclude), {name: group for name, group in groups.items() if group}, alone)


def _check(path: Path, number: int, name: str, action: str, group: str) -> None:
    where = f"{path}, line {number}"
    if not name:
        raise DataError(f"{where}: the path is empty; name the image, or remove the line.")
    if action not in ACTIONS:
        hint = suggest(action, ACTIONS, 1)
        suggestion = f" Did you mean {hint[0]!r}?" if hint else ""
        raise DataError(f"{where}: the action must be one of {join_words(ACTIONS)}; found {action!r}.{suggestion}")
    if action == GROUP and not group:
        raise DataError(f"{where}: the action is 'group', but the column 'group' is empty; name a group, or 'keep' it.")


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows with the number of the line each ends on."""
    try:
        text = existing_path(path).read_text(encoding="utf-8-sig")
    except IsADirectoryError as error:
        raise DataError(
            f"{path} is a folder; a plan is a CSV file written by  headstart audit DATA --fix FILE."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8; save the plan as CSV (UTF-8).") from error
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",", strict=True
    )
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ()) and name != "reason"]
    if missing:
        raise DataError(
            f"{path} lacks the columns {join_words(missing)}; a plan has path, action, reason and group "
            f"(found: {join_words(reader.fieldnames or ['nothing'])})."
        )
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {reader.line_num}: it has not as many cells as the first line; put text that holds "
                    "a comma in quotation marks."
                )
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: it cannot be read as CSV ({error}); write the plan anew."
        ) from error
    return rows


def apply_plan(dataset: Dataset, path: str | None) -> tuple[Dataset, str | None]:
    """The dataset after the plan in a file, with notes, and the file's fingerprint; unchanged where `path` is None.

    Raises `DataError` for a plan that cannot be applied.
    """
    if path is None:
        return dataset, None
    plan = read_plan(Path(path))
    try:
        samples, together, notes = _apply(dataset.samples, plan)
    except DataError as error:
        raise DataError(f"{path} cannot be applied: {error}") from error
    changed = replace(dataset, samples=samples, notes=(*dataset.notes, *notes), together=together)
    return changed, fingerprint.hash_file(Path(path))


def exclude_rows(samples: Samples, plan: CleaningPlan) -> tuple[Samples, tuple[str, ...]]:
    """The samples without the excluded images and with the plan's groups joined to their own, and notes.

    Raises `DataError` where the plan names images that are not among the samples, or leaves a class without any.
    """
    remaining, together, notes = _apply(samples, plan)
    return (replace(remaining, groups=merge_groups(remaining, together)) if together else remaining), notes


def _apply(samples: Samples, plan: CleaningPlan) -> tuple[Samples, tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """The samples that stay, the rows of them that belong together, and notes."""
    planned_names = [*plan.exclude, *plan.groups]
    names = set(samples.names)
    absent = [name for name in planned_names if name not in names]
    mentioned = [*planned_names, *plan.keep]
    if mentioned and not names.intersection(mentioned):
        raise DataError(
            f"no image that the plan names is in these data (the first of {len(mentioned):,}: {mentioned[0]!r}; the "
            f"data hold {samples.names[0]!r}): give the plan that was written for them."
        )
    if absent:
        raise DataError(
            f"the plan names {quantity(len(absent), 'image')} that the data do not hold, {join_words(absent, 3)}: "
            f"remove {'its line' if len(absent) == 1 else 'their lines'} or write the plan anew."
        )
    excluded = set(plan.exclude)
    remaining = samples.take(np.array([name not in excluded for name in samples.names], bool))
    _check_left(samples, remaining)
    together = _together(remaining, plan.groups)
    return remaining, together, tuple(_notes(len(samples) - len(remaining), together))


def _check_left(samples: Samples, remaining: Samples) -> None:
    """Raise `DataError` where nothing is left, or nothing of a class."""
    if not len(remaining):
        raise DataError("the plan excludes every image; set the action of those to use to 'keep'.")
    before, after = samples.counts(), remaining.counts()
    if empty := [name for name, count in before.items() if count and not after[name]]:
        raise DataError(
            f"the plan excludes every image of {join_words(empty)}; set the action of those to use to 'keep', or take "
            "the class out of the data."
        )


def _notes(excluded: int, together: tuple[tuple[int, ...], ...]) -> Iterator[str]:
    if excluded:
        yield f"Left out by the plan: {quantity(excluded, 'image')}."
    if together:
        yield (
            f"Held together by the plan: {quantity(sum(map(len, together)), 'image')} in "
            f"{quantity(len(together), 'group')}."
        )


def _together(samples: Samples, groups: Mapping[str, str]) -> tuple[tuple[int, ...], ...]:
    """The rows of each of the plan's groups that has several."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(samples.names):
        if word := groups.get(name):
            rows.setdefault(word, []).append(row)
    return tuple(tuple(group) for group in rows.values() if len(group) > 1)
