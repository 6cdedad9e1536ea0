"""From loaded data to numbers: embed every image, leave out what cannot be read, set the held-out split apart.

Takes `Loaded`; returns `Prepared` (samples, embeddings and what was noticed) and `Division` (which rows are fitted,
which are held out, and the folds). It compares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.duplicates.near import MOST_COMPARED
from headstart.data.sources.dataset import Dataset
from headstart.data.splits import Division, held_out_rows
from headstart.records.arrays import Ints

if TYPE_CHECKING:
    from headstart.pipeline.probe import AccuracyClaims
    from headstart.records.samples import Failure

from typing import TYPE_CHECKING

from headstart.checks import join_words, quantity
from headstart.errors import DataError
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure, Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.data.duplicates.resolve import DuplicateGroups
    from headstart.data.duplicates.thumbnails import Thumbnails
    from headstart.data.sources.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Prepared:
    """Readable, deduplicated samples with their embeddings, one for each backbone, in the same order of rows.

    duplicates: which samples are duplicates of each other. thumbnails: of all images that were loaded, None for too
    many.
    """

    samples: Samples
    embedded: tuple[Embeddings, ...]
    backbones: tuple[Backbone, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    duplicates: DuplicateGroups
    thumbnails: Thumbnails | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the images' contents with their labels."""
        return self.samples.fingerprint()


def prepare(
    loaded: Dataset,
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
    from headstart.backbones.opening import open_backbone
    from headstart.data.duplicates.resolve import resolve_duplicates
    from headstart.device import choose_device
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    opened = tuple(open_backbone(name, weights=None if weights is None else Path(weights)) for name in backbones)
    chosen = choose_device(device)
    _check_train(loaded.samples)
    thumbnails = _make_thumbnails(loaded.samples, cache=cache)
    near, unsought = search_near_duplicates(loaded.samples, cache=cache, thumbnails=thumbnails)
    samples, resolution = resolve_duplicates(loaded.samples, near, loaded.together)
    _check_left(samples, resolution.notes)
    _check_fitted(samples, resolution.notes)
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
    notes, duplicates = [*loaded.notes, *resolution.notes, *unsought], resolution.duplicates
    if failures:
        notes.append(
            f"{quantity(len(failures), 'image')} cannot be read and took no part "
            f"(a saved model lists them in unreadable.csv; the first: {failures[0].name}: {failures[0].reason})."
        )
        kept = np.setdiff1d(np.arange(len(samples)), [failure.row for failure in failures])
        samples, embedded, duplicates = samples.take(kept), _without(embedded, kept), duplicates.take(kept)
        _check_fitted(samples)
    return Prepared(samples, tuple(embedded), opened, failures, tuple(notes), duplicates, thumbnails)


def _make_thumbnails(samples: Samples, *, cache: bool) -> Thumbnails | None:
    """Thumbnails and facts of the images; None for so many that only a user who asks for it should wait."""
    from headstart.data.duplicates.thumbnails import make_thumbnails

    return make_thumbnails(samples, cache=cache) if len(samples) <= MOST_COMPARED else None


def search_near_duplicates(
    samples: Samples, *, cache: bool, thumbnails: Thumbnails | None = None
) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """The rows of each group of near duplicates; and a note where there are too many images to look for them."""
    from headstart.data.duplicates.near import search_samples

    if len(samples) <= MOST_COMPARED:
        return search_samples(samples, cache=cache, thumbnails=thumbnails).groups, ()
    note = (
        f"Near duplicates were not searched among more than {MOST_COMPARED:,} images: where there may be some, name "
        "what belongs together in a group column."
    )
    return (), (note,)


def _check_train(samples: Samples) -> None:
    """Raise `DataError` where there are splits, and none to train on."""
    if samples.splits is not None and "train" not in samples.splits:
        there = sorted(set(samples.splits.tolist()))
        raise DataError(
            f"the data have the splits {join_words(there)} but no 'train': call the one to train on 'train'."
        )


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


def data_facts(loaded: Dataset, prepared: Prepared, division: Division) -> DataFacts:
    """What was measured on, in numbers."""
    samples = prepared.samples
    return DataFacts(
        images=len(division.fit),
        counts=samples.take(division.fit).counts(),
        held_out=len(division.held_out),
        folds=int(division.folds.max()) + 1,
        repeats=len(division.folds),
        fingerprint=prepared.fingerprint,
        ignored=dict(loaded.ignored),
        cached=min(each.cached for each in prepared.embedded),
        duplicates=prepared.duplicates.take(division.fit).redundant,
    )


@dataclass(frozen=True, eq=False)
class DataFacts:
    """What was trained on: images a class (after everything unusable was left out), and a fingerprint of it all.

    duplicates: how many of the images repeat another one, exactly or nearly. claims: where many do, the accuracies of a
    linear probe with duplicates separated and held together. exclusions: fingerprint of the plan that was followed.
    """

    images: int
    counts: Mapping[str, int]
    held_out: int
    folds: int
    repeats: int
    fingerprint: str
    ignored: Mapping[str, int]
    cached: int
    duplicates: int = 0
    claims: AccuracyClaims | None = None
    exclusions: str | None = None
