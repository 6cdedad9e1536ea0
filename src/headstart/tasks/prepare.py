"""From loaded data to numbers: embed every image, leave out what cannot be read, set the held-out split apart.

Takes `Loaded`; returns `Prepared` (samples, embeddings and what was noticed) and `Division` (which rows are fitted,
which are held out, and the folds). It compares nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.checks import counted, listed
from headstart.errors import DataError
from headstart.records import Embeddings, Failure, Ints, Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.data.duplicates import Copies
    from headstart.data.loaded import Loaded
    from headstart.data.thumbnails import Looks
    from headstart.tasks.findings import Finding

_FEW, _SOME = 500, 2000
_SMALL_CLASS = 10
MOST_COMPARED = 100_000
"""Images up to which near copies are looked for: the time grows with their square, and this many take minutes."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Readable, deduplicated samples with their embeddings, one for each backbone, in the same order of rows.

    copies: which of the samples are copies of which. doubts: pictures of doubtful quality, to be looked at.
    """

    samples: Samples
    embedded: tuple[Embeddings, ...]
    backbones: tuple[Backbone, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    copies: Copies
    doubts: tuple[Finding, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the images' contents with their labels."""
        return self.samples.fingerprint()


@dataclass(frozen=True, eq=False)
class Division:
    """fit, held_out: row numbers. folds: (repeats, fit rows). groups: of the fit rows, None where all are alone."""

    fit: Ints
    held_out: Ints
    folds: Ints
    groups: Ints | None
    notes: tuple[str, ...]


def prepare(
    loaded: Loaded,
    backbones: Sequence[str],
    *,
    device: str,
    cache: bool,
    max_unreadable: float,
    weights: str | None = None,
    last_only: bool = False,
) -> Prepared:
    """Check the data, embed every image with every backbone, and leave out what cannot be used.

    last_only: keep the last tap of each backbone alone, where many backbones would fill the memory.
    Raises `DataError` when the share of unreadable images is above `max_unreadable`.
    """
    from headstart.backbones.graph import open_backbone
    from headstart.data.duplicates import resolve
    from headstart.device import choose
    from headstart.embed.cache import open_cache
    from headstart.embed.extract import embed

    opened = tuple(open_backbone(name, weights=None if weights is None else Path(weights)) for name in backbones)
    chosen = choose(device)
    _check_train(loaded.samples)
    seen = _looks(loaded.samples, cache=cache)
    near, unsought = near_copies(loaded.samples, cache=cache, seen=seen)
    samples, duplicates = resolve(loaded.samples, near, loaded.together)
    _check_left(samples, duplicates.notes)
    _check_fitted(samples, duplicates.notes)
    embedded = [
        embed(
            samples.images,
            backbone,
            content=samples.content,
            names=samples.names,
            taps=[backbone.last.name] if last_only else None,
            device=chosen,
            cache=open_cache(backbone) if cache else None,
        )
        for backbone in opened
    ]
    failures = tuple({failure.row: failure for each in embedded for failure in each.failures}.values())
    check_share(failures, len(samples), max_unreadable)
    notes, copies = [*loaded.notes, *duplicates.notes, *unsought], duplicates.copies
    if failures:
        notes.append(
            f"{counted(len(failures), 'image')} cannot be read and took no part "
            f"(a saved model lists them in unreadable.csv; the first: {failures[0].name}: {failures[0].reason})."
        )
        kept = np.setdiff1d(np.arange(len(samples)), [failure.row for failure in failures])
        samples, embedded, copies = samples.take(kept), _without(embedded, kept), copies.take(kept)
        _check_fitted(samples)
    doubts = _doubts(seen, loaded.samples, set(samples.names))
    return Prepared(samples, tuple(embedded), opened, failures, tuple(notes), copies, doubts)


def _looks(samples: Samples, *, cache: bool) -> Looks | None:
    """Thumbnails and facts of the pictures; None for so many that only a user who asks for it should wait."""
    from headstart.data.thumbnails import looks

    return looks(samples, cache=cache) if len(samples) <= MOST_COMPARED else None


def _doubts(seen: Looks | None, samples: Samples, used: set[str]) -> tuple[Finding, ...]:
    """Pictures of doubtful quality among those that are used."""
    from headstart.tasks.doubts import of_pictures

    return () if seen is None else tuple(each for each in of_pictures(seen, samples.names) if each.name in used)


def near_copies(
    samples: Samples, *, cache: bool, seen: Looks | None = None
) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """The rows of each group of near copies; and a note where there are too many images to look for them."""
    from headstart.data.near_duplicates import find

    if len(samples) <= MOST_COMPARED:
        return find(samples, cache=cache, seen=seen).groups, ()
    note = (
        f"Near copies were not looked for among more than {MOST_COMPARED:,} images: where there may be some, name what "
        "belongs together in a group column."
    )
    return (), (note,)


def _check_train(samples: Samples) -> None:
    """Raise `DataError` where there are splits, and none to train on."""
    if samples.splits is not None and "train" not in samples.splits:
        there = sorted(set(samples.splits.tolist()))
        raise DataError(f"the data have the splits {listed(there)} but no 'train': call the one to train on 'train'.")


def _check_left(samples: Samples, notes: Sequence[str]) -> None:
    """Raise `DataError` where duplicates have left no image to train on."""
    if held_out_rows(samples)[0].all():
        raise DataError(f"no image is left to train on. {' '.join(notes)} Give images that are there once.")


def _check_fitted(samples: Samples, notes: Sequence[str] = ()) -> None:
    """Raise `DataError` now, before any long work, where what will be fitted cannot be cross-validated."""
    from headstart.data.splits import check_enough

    fit = samples.take(~held_out_rows(samples)[0])
    try:
        check_enough(fit.labels, samples.classes, fit.groups)
    except DataError as error:
        raise DataError(" ".join([str(error), *notes])) from error


def check_share(failures: Sequence[Failure], total: int, most: float) -> None:
    """Raise `DataError` where more than the share `most` of all images cannot be read."""
    if len(failures) <= most * total:
        return
    first = "; ".join(f"{failure.name}: {failure.reason}" for failure in failures[:3])
    raise DataError(
        f"{len(failures):,} of {total:,} images cannot be read ({len(failures) / total:.0%}, more than the "
        f"{most:.0%} allowed), among them {first}. Repair or remove them, or raise --max-unreadable."
    )


def _without(embedded: Sequence[Embeddings], kept: Ints) -> list[Embeddings]:
    placed = [each.take(np.isin(each.rows, kept)) for each in embedded]
    return [replace(each, rows=np.arange(len(kept))) for each in placed]


def divide(samples: Samples, *, count: int | None, repeats: int | None, seed: int) -> Division:
    """Set the test split apart (or, without one, the validation split), and lay the folds over the rest."""
    from headstart.data.splits import folds

    held, notes = held_out_rows(samples)
    fit = np.flatnonzero(~held)
    groups = None if samples.groups is None else samples.groups[fit]
    laid = folds(
        samples.labels[fit],
        groups,
        count=count or folds_for(len(fit), len(samples.classes)),
        repeats=repeats or repeats_for(len(fit)),
        seed=seed,
        classes=samples.classes,
    )
    return Division(fit, np.flatnonzero(held), laid, groups, notes)


def held_out_rows(samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which rows are kept apart until the end (the test split, or else the val split), and notes of that."""
    nothing = np.zeros(len(samples), bool)
    if samples.splits is None:
        return nothing, ()
    if "test" in samples.splits:
        joined = "; the val split is cross-validated together with train" if "val" in samples.splits else ""
        return samples.splits == "test", (f"The test split is kept apart until the end{joined}.",)
    if "val" in samples.splits:
        return samples.splits == "val", ("There is no test split, so the val split is kept apart until the end.",)
    return nothing, ()


def folds_for(images: int, classes: int) -> int:
    """How many folds: more where classes are small, so that each model is trained on nearly all that there is.

    >>> folds_for(60, 20), folds_for(400, 4)
    (10, 5)
    """
    return 10 if images < _SMALL_CLASS * classes else 5


def repeats_for(images: int) -> int:
    """How often the cross-validation is repeated: the fewer images, the more the luck of one division matters.

    >>> [repeats_for(n) for n in (60, 800, 20_000)]
    [5, 3, 1]
    """
    return 5 if images <= _FEW else 3 if images <= _SOME else 1
