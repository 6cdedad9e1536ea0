"""From a dataset to numbers: find duplicates, embed every image, leave out what cannot be used.

`prepare` takes a `Dataset` and returns `Prepared`: samples, their embeddings and notes; `data_facts` counts them.
`find_duplicates` is the one search for exact and near duplicates, whatever is done about them. Nothing is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.backbones.packaged import PACKAGED
from headstart.checks import join_words, quantity
from headstart.data.duplicates.near import MOST_COMPARED
from headstart.data.images.remarks import remark_notes
from headstart.data.modality import modality_of
from headstart.data.splits import Division, held_out_rows
from headstart.embed.features import with_fit
from headstart.errors import DataError
from headstart.model.facts import DataFacts
from headstart.pipeline.squares import AUTO, choose_fit
from headstart.records.arrays import Ints
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure, Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.data.duplicates.near import NearDuplicates
    from headstart.data.duplicates.resolve import DuplicateGroups, Resolution
    from headstart.data.duplicates.thumbnails import Thumbnails
    from headstart.data.sources.dataset import Dataset
    from headstart.records.run import Run


@dataclass(frozen=True, eq=False)
class Prepared:
    """Readable, deduplicated samples with their embeddings, one for each backbone, in the same order of rows.

    duplicates: which samples are duplicates of each other. thumbnails: of all images that were loaded, None for too
    many. alike: (m, 2) rows whose thumbnails look alike. series: how many series of photographs of one thing there are,
    beyond what the data name.
    """

    samples: Samples
    embedded: tuple[Embeddings, ...]
    backbones: tuple[Backbone, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    duplicates: DuplicateGroups
    thumbnails: Thumbnails | None = None
    alike: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    series: int = 0

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the images' contents with their labels."""
        return self.samples.fingerprint()


def prepare(
    dataset: Dataset,
    backbones: Sequence[str],
    run: Run,
    *,
    weights: str | None = None,
    last_only: bool = False,
    fit: str = AUTO,
) -> Prepared:
    """Check the data, embed every image with every backbone, and leave out what cannot be used.

    backbones: names. weights: a checkpoint for the one backbone named. last_only: keep the last tap of each backbone
    alone, where many backbones would fill the memory. fit: how images become squares (`pipeline.squares`). Raises
    `DataError` where nothing is left to train on, and when the share of unreadable images is above the run's.
    """
    from headstart.backbones.opening import open_backbone
    from headstart.embed.features import check_modality, embed_backbone

    names = networks_for(dataset.samples, backbones)
    networks = tuple(open_backbone(name, weights=None if weights is None else Path(weights)) for name in names)
    for backbone in networks:
        check_modality(backbone, modality_of(dataset.samples).name)
    run.choose_device()  # an unknown device is refused before any work
    _check_train(dataset.samples)
    thumbnails = _make_thumbnails(dataset.samples, run)
    search = find_duplicates(dataset.samples, run, thumbnails=thumbnails)
    samples, resolution = search.resolve(dataset.together)
    _check_left(samples, resolution.notes)
    _check_fitted(samples, resolution.notes)
    squares: tuple[str, ...] = ()
    if modality_of(samples).squares:
        square = choose_fit(samples, thumbnails, fit, run)
        networks = tuple(with_fit(backbone, square.fit) for backbone in networks)
        squares = (square.note,) if square.note else ()
    embedded = [
        embed_backbone(samples, backbone, run, taps=[backbone.last.name] if last_only else None)
        for backbone in networks
    ]
    failures = tuple({failure.row: failure for result in embedded for failure in result.failures}.values())
    check_share(failures, len(samples), run.max_unreadable)
    notes = [*dataset.notes, *_remark_notes(dataset.samples, thumbnails, networks[0]), *resolution.notes, *search.notes]
    notes, duplicates = [*notes, *squares], resolution.duplicates
    if failures:
        notes.append(unreadable_note(failures))
        rows = np.setdiff1d(np.arange(len(samples)), [failure.row for failure in failures])
        samples, embedded, duplicates = samples.take(rows), _take_rows(embedded, rows), duplicates.take(rows)
        _check_fitted(samples)
    alike = search.pairs_among(samples)
    return Prepared(samples, tuple(embedded), networks, failures, tuple(notes), duplicates, thumbnails, alike)


def networks_for(samples: Samples, backbones: Sequence[str]) -> Sequence[str]:
    """The names of these backbones; of a kind of data with a network of its own, that in the place of the packaged."""
    usual = modality_of(samples).backbone
    return [name for name in backbones if name not in PACKAGED] or [usual] if usual else backbones


def _make_thumbnails(samples: Samples, run: Run) -> Thumbnails | None:
    """Thumbnails and quality facts; None for so many images that only a user who asks for it should wait."""
    return modality_of(samples).thumbnails(samples, run.cache) if len(samples) <= MOST_COMPARED else None


def _remark_notes(samples: Samples, thumbnails: Thumbnails | None, backbone: Backbone) -> tuple[str, ...]:
    """What a user should know of how the images were read."""
    if thumbnails is None:
        notes: tuple[str, ...] = backbone.spec.notes(samples.items)
        return notes
    return remark_notes(thumbnails.fact("remarks").astype(int).tolist())


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Exact and near duplicates among samples, before anything is done about them.

    near: groups of near duplicates, by row. exact: the rows of each image whose very bytes are there more than once.
    notes: a sentence where near duplicates were not looked for.
    """

    samples: Samples
    near: NearDuplicates
    exact: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.near.groups or self.exact)

    def families(self) -> Ints:
        """A number for each row, equal where images repeat each other, whatever groups the data name: (n,)."""
        return self._merge(replace(self.samples, groups=None))

    def groups(self) -> Ints:
        """A number for each row, equal for duplicates and for rows of one group of the data: (n,)."""
        return self._merge(self.samples)

    def _merge(self, samples: Samples) -> Ints:
        from headstart.data.duplicates.near import merge_groups

        return merge_groups(samples, (*self.near.groups, *self.exact))

    def likeness(self) -> dict[int, float]:
        """How alike each row with near duplicates is to the leading image of its group, 0 to 1."""
        return {
            row: value
            for rows, values in zip(self.near.groups, self.near.likeness, strict=True)
            for row, value in zip(rows, values, strict=True)
        }

    def pairs_among(self, samples: Samples) -> Ints:
        """The pairs that look alike among some of the samples, as their rows there: (m, 2)."""
        row_of = {content: row for row, content in enumerate(samples.content)}
        rows = [[row_of.get(self.samples.content[row], -1) for row in pair] for pair in self.near.pairs]
        pairs = np.array(rows, np.int64).reshape(-1, 2)
        usable: Ints = pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])]
        return usable

    def grouped(self) -> Samples:
        """The samples with duplicates in one group, all of them kept."""
        return replace(self.samples, groups=self.groups()) if self else self.samples

    def resolve(self, together: Sequence[Sequence[int]] = ()) -> tuple[Samples, Resolution]:
        """The samples without contradictions and leaks, duplicates in one group (`data.duplicates.resolve`).

        together: rows that belong together for another reason.
        """
        from headstart.data.duplicates.resolve import resolve_duplicates

        return resolve_duplicates(self.samples, self.near.groups, together)


def find_duplicates(
    samples: Samples, run: Run, *, thumbnails: Thumbnails | None = None, limit: int | None = None
) -> Duplicates:
    """Look for exact duplicates, and for near ones among at most `limit` images (default: `MOST_COMPARED`).

    thumbnails: of the samples, where they are at hand.
    """
    from headstart.data.duplicates.near import NearDuplicates
    from headstart.data.duplicates.resolve import exact_duplicates

    limit = MOST_COMPARED if limit is None else limit
    exact = tuple(map(tuple, exact_duplicates(samples.content)))
    if len(samples) <= limit:
        return Duplicates(samples, modality_of(samples).near(samples, run.cache, thumbnails), exact)
    note = (
        f"Near duplicates were not searched among more than {limit:,} images: where there may be some, name "
        "what belongs together in a group column."
    )
    return Duplicates(samples, NearDuplicates((), ()), exact, (note,))


def _check_train(samples: Samples) -> None:
    """Raise `DataError` where there are splits, and none to train on."""
    if samples.splits is not None and "train" not in samples.splits:
        splits = sorted(set(samples.splits.tolist()))
        raise DataError(
            f"the data have the splits {join_words(splits)} but no 'train': call the one to train on 'train'."
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


def unreadable_note(failures: Sequence[Failure]) -> str:
    """A sentence on images that took no part, because they cannot be read."""
    return (
        f"{quantity(len(failures), 'image')} cannot be read and took no part "
        f"(a saved model lists them in unreadable.csv; the first: {failures[0].name}: {failures[0].reason})."
    )


def _take_rows(embedded: Sequence[Embeddings], rows: Ints) -> list[Embeddings]:
    """The embeddings of these samples alone, numbered anew."""
    return [replace(part.take(np.isin(part.rows, rows)), rows=np.arange(len(rows))) for part in embedded]


def data_facts(dataset: Dataset, prepared: Prepared, division: Division) -> DataFacts:
    """What was measured on, in numbers."""
    samples = prepared.samples
    return DataFacts(
        images=len(division.fit),
        counts=samples.take(division.fit).counts(),
        held_out=len(division.held_out),
        folds=int(division.folds.max()) + 1,
        repeats=len(division.folds),
        fingerprint=prepared.fingerprint,
        ignored=dict(dataset.ignored),
        cached=min(embeddings.cached for embeddings in prepared.embedded),
        duplicates=prepared.duplicates.take(division.fit).redundant,
        series=prepared.series,
    )
