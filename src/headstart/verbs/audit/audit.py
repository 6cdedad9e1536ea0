"""The audit of a data set: everything in it that would spoil a model or its measurement, found before training.

`audit` takes a folder, a table or lists and returns an `Audit` of frozen findings: unreadable images, exact and near
copies (also turned, mirrored and cropped ones), copies across splits, copies with different labels, labels that are
probably wrong, imbalance, odd sizes, near-black, near-white and blurred images. It changes no data; `Audit.write_plan`
proposes what to leave out, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headstart.checks import between, quantity
from headstart.data.cleaning_plan import EXCLUDE
from headstart.data.duplicates.near import merge_groups, search_samples
from headstart.data.duplicates.resolve import exact_duplicates
from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, MissingExtra
from headstart.pipeline.candidates import LAYERS
from headstart.pipeline.options import MOST_SEED
from headstart.pipeline.probe import MANY_COPIES, AccuracyClaims, accuracy_claims, probe_probabilities
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import UNLABELLED, Failure, Samples
from headstart.verbs.audit.copies import duplicate_findings
from headstart.verbs.audit.findings import IMBALANCE, LOOK, UNREADABLE, Audit, Finding, sort_findings
from headstart.verbs.audit.suspects import label_issues, quality_issues

BACKBONE = "efficientnet_lite0"
_IMBALANCE = 5
_TYPICAL = 2
"""Pictures of each class to compare a doubtful one with."""


def audit(
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    backbone: str = BACKBONE,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> Audit:
    """Look through labelled images for what would spoil a model or its measurement.

    data, labels, groups: as `train` takes them. backbone: whose embeddings the search for wrong labels uses. seed: of
    its folds. device: auto, cpu, cuda or mps. cache: keep thumbnails, embeddings and scores for the next run.
    What cannot be looked at (wrong labels, without the extra `audit`) is said in `notes`. Raises `DataError` where the
    data cannot be read at all.
    """
    between("seed", seed, 0, MOST_SEED)
    samples, notes = _loaded(data, labels, groups)
    seen = make_thumbnails(samples, cache=cache)
    near = search_samples(samples, cache=cache, thumbnails=seen)
    likeness = {
        row: value
        for group, values in zip(near.groups, near.likeness, strict=True)
        for row, value in zip(group, values, strict=True)
    }
    copies = (*near.groups, *map(tuple, exact_duplicates(samples.content)))
    families = merge_groups(replace(samples, groups=None), copies)
    groups_of = merge_groups(samples, copies)
    checked = _mislabels(_Labels(samples, families, groups_of, seen.rows, backbone, seed, device, cache))
    findings = [
        *_unreadable(seen.failures),
        *duplicate_findings(samples, families, likeness),
        *checked.findings,
        *quality_issues(seen, samples.names),
        *_imbalance(samples),
    ]
    return Audit(
        len(samples),
        samples.counts(),
        sort_findings(iter(findings)),
        groups_of,
        checked.claims,
        (*notes, *_group_notes(samples), *checked.notes),
        samples,
        checked.typical,
        checked.hindrance,
    )


def _loaded(data: Any, labels: Any, groups: Any) -> tuple[Samples, tuple[str, ...]]:
    loaded = data if isinstance(data, Dataset) else load_dataset(data, labels=labels, groups=groups)
    return loaded.samples, loaded.notes


def _unreadable(failures: Sequence[Failure]) -> Iterator[Finding]:
    for failure in failures:
        yield Finding(failure.name, UNREADABLE, f"It cannot be read: {failure.reason}.", 1.0, EXCLUDE, row=failure.row)


def _imbalance(samples: Samples) -> Iterator[Finding]:
    """Classes with few images beside the largest."""
    counts = samples.counts()
    if not counts:
        return
    largest = max(counts, key=lambda name: counts[name])
    for name, count in counts.items():
        if count * _IMBALANCE <= counts[largest]:
            sentence = (
                f"It has {quantity(count, 'image')}, the largest class, {largest!r}, {counts[largest]:,}: add images "
                "of "
                "it, or train with --class-weight balanced."
            )
            yield Finding(name, IMBALANCE, sentence, 1 - count / counts[largest], LOOK)


def _group_notes(samples: Samples) -> tuple[str, ...]:
    if samples.groups is not None:
        return (f"The data name {quantity(len(np.unique(samples.groups)), 'group')}; folds hold each together.",)
    return (
        "The data name no groups: where images come in series (of one patient, plant, site or video), name them with a "
        "group column, because only copies can be found here.",
    )


@dataclass(frozen=True, eq=False)
class _Labels:
    """What the search for wrong labels looks at."""

    samples: Samples
    families: Ints
    groups: Ints
    readable: Ints
    backbone: str
    seed: int
    device: str
    cache: bool


@dataclass(frozen=True, eq=False)
class _Checked:
    """What it found."""

    findings: tuple[Finding, ...] = ()
    claims: AccuracyClaims | None = None
    notes: tuple[str, ...] = ()
    typical: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    hindrance: str = ""


def _mislabels(work: _Labels) -> _Checked:
    """Wrong labels by confident learning, and what folds that part copies would claim."""
    rows = _certain(work)
    samples = work.samples.take(rows)
    try:
        _check(samples, work.groups[rows])
    except DataError as error:
        return _Checked(notes=(f"Labels were not checked: {error}",), hindrance=str(error))
    try:
        X = _embedded(samples, work)
        found = probe_probabilities(X, samples.labels, work.groups[rows], seed=work.seed, cache=work.cache)
    except DataError as error:
        return _Checked(notes=(f"Labels were not checked: {error}",))
    claimed = None
    if len(rows) - len(np.unique(work.families[rows])) >= MANY_COPIES * len(rows):
        apart = probe_probabilities(X, samples.labels, samples.groups, seed=work.seed, cache=work.cache)
        claimed = accuracy_claims(apart, found, samples.labels)
    try:
        findings, wrong = label_issues(samples, found, rows)
    except MissingExtra as error:
        return _Checked(claims=claimed, notes=(f"Labels were not checked: {error}",))
    typical = {name: tuple(rows[some].tolist()) for name, some in _typical(samples, found, work.groups[rows], wrong)}
    return _Checked(findings, claimed, typical=typical)


def _typical(samples: Samples, found: Floats, groups: Ints, wrong: Ints) -> Iterator[tuple[str, list[int]]]:
    """Of each class the rows of which the model is surest, one of each group, without those that may be wrong."""
    right = found.argmax(axis=1) == samples.labels
    right[wrong] = False
    for label, name in enumerate(samples.classes):
        own = np.flatnonzero(right & (samples.labels == label))
        surest = own[np.argsort(-found[own, label], kind="stable")]
        of_group: dict[int, int] = {}
        for row in surest.tolist():
            of_group.setdefault(int(groups[row]), row)
        yield name, list(of_group.values())[:_TYPICAL]


def _certain(work: _Labels) -> Ints:
    """The readable, labelled rows whose exact copies do not contradict them."""
    samples = work.samples
    wanted = np.isin(np.arange(len(samples)), work.readable) & (samples.labels != UNLABELLED)
    for rows in exact_duplicates(samples.content):
        if len({int(samples.labels[row]) for row in rows}) > 1:
            wanted[rows] = False
    return np.flatnonzero(wanted)


def _check(samples: Samples, groups: Ints) -> None:
    from headstart.data.splits import check_enough

    if not len(samples):
        raise DataError("no image can be read and has a label that its exact copies share: mend the files or labels.")
    check_enough(samples.labels, samples.classes, groups)


def _embedded(samples: Samples, work: _Labels) -> Floats:
    """Several layers of the backbone side by side, a row an image."""
    from headstart.backbones.opening import open_backbone
    from headstart.device import choose_device
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    backbone = open_backbone(work.backbone)
    found = embed(
        samples.images,
        backbone,
        content=samples.content,
        names=samples.names,
        device=choose_device(work.device),
        cache=open_cache(backbone) if work.cache else None,
    )
    if found.failures:
        raise DataError(f"{found.failures[0].name} could be read at first and then no more; run the audit again.")
    return found.joined([tap.name for tap in backbone.taps[-LAYERS:]])
