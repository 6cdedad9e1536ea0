"""The audit of a dataset: everything in it that would spoil a model or its measurement, found before training.

`audit` takes a folder, a table or lists and returns an `Audit` of frozen findings: unreadable images, exact and near
duplicates (also turned, mirrored and cropped ones), duplicates across splits or under different labels, label issues,
imbalance, odd sizes, near-black, near-white and blurred images. It changes no data; `Audit.write_plan` proposes what to
leave out, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headstart.checks import quantity
from headstart.data.cleaning_plan import EXCLUDE
from headstart.data.duplicates.near import join_groups
from headstart.data.duplicates.resolve import exact_duplicates
from headstart.data.duplicates.thumbnails import Thumbnails
from headstart.data.images.remarks import remark_notes
from headstart.data.modality import modality_of
from headstart.data.series.keys import check_rule
from headstart.data.sources.load import load_dataset
from headstart.data.splits import check_enough
from headstart.device import Device
from headstart.errors import DataError
from headstart.model.facts import AccuracyClaims
from headstart.pipeline.candidates import LAYERS
from headstart.pipeline.prepare import Duplicates, find_duplicates
from headstart.pipeline.probe import MANY_DUPLICATES, accuracy_claims, probe_probabilities
from headstart.pipeline.series import group_by as group_by_rule
from headstart.pipeline.squares import AUTO, choose_fit
from headstart.records.arrays import Floats, Ints
from headstart.records.run import Run
from headstart.records.samples import UNLABELLED, Failure, Samples
from headstart.verbs.audit.duplicates import duplicate_findings
from headstart.verbs.audit.findings import CLASSES, IMBALANCE, LOOK, UNREADABLE, Audit, Finding, sort_findings
from headstart.verbs.audit.series import SeriesSearch, look_for_series
from headstart.verbs.audit.suspects import label_issues, quality_issues
from headstart.verbs.audit.texts import template_findings, text_failures
from headstart.verbs.spatial.audit import SpatialAudit, audit_spatial
from headstart.verbs.spatial.python import spatial_form

BACKBONE = "efficientnet_lite0"
_IMBALANCE = 5
"""A class with fewer images than the largest class has, divided by this, is named."""
_FEW_THINGS = (
    "Labels were not checked: there are so few different things of a class that a model which has not seen one of them "
    "errs too often to doubt its label."
)
_TYPICAL = 2
"""Images of each class to compare one with a label issue with."""


def audit(
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    group_by: str = AUTO,
    backbone: str = BACKBONE,
    seed: int = 0,
    device: str | Device = "auto",
    cache: bool = True,
) -> Audit | SpatialAudit:
    """Look through labelled images for what would spoil a model or its measurement.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        As `train` takes it: a folder of class folders, a table, paths or images with `labels`, or a `Dataset`.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: equal values belong together (one patient, site or video).
    group_by : str
        What shows one thing: 'auto' looks for series where no groups are named, 'none', 'folder', 'exif-time',
        'name:REGEX'.
    backbone : str
        Whose embeddings the search for label issues uses.
    seed : int
        Of the folds of that search, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep thumbnails, embeddings and scores for the next run.

    Returns
    -------
    Audit or SpatialAudit
        The findings, most severe kinds first; `notes` say what could not be looked at. The second where the place
        holds boxes or masks.

    Raises
    ------
    DataError
        Where the data cannot be read at all.
    OptionError
        For a seed out of its range.

    References
    ----------
    Label issues: confident learning, Northcutt et al. 2021 (https://arxiv.org/abs/1911.00068).

    Examples
    --------
    >>> black = np.zeros((64, 64, 3), np.uint8)
    >>> result = audit([black, black, black + 128], labels=["a", "b", "a"], cache=False)
    >>> [(count.kind, count.count) for count in result.summary()]
    [('contradictory labels', 2), ('exact duplicate', 1), ('near-black', 2), ('even', 1)]
    """
    form = spatial_form(data, labels)
    if form is not None:
        return audit_spatial(form, form.task, group_by=group_by, seed=seed, cache=cache)
    run = Run(seed=seed, device=device, cache=cache)
    dataset = group_by_rule(load_dataset(data, labels=labels, groups=groups), check_rule(group_by))
    samples = dataset.samples
    modality = modality_of(samples)
    thumbnails = modality.thumbnails(samples, cache)
    failures = text_failures(samples) if thumbnails is None else thumbnails.failures
    duplicates = find_duplicates(samples, run, thumbnails=thumbnails, limit=len(samples))
    families, groups_of_rows = duplicates.families(), duplicates.groups()
    backbone, series = modality.encoder(backbone, BACKBONE), group_by == AUTO and thumbnails is not None
    label_check = _check_labels(samples, duplicates, failures, thumbnails, backbone, run, series=series)
    groups_of_rows = join_groups(groups_of_rows, label_check.series)
    findings = [
        *_unreadable(failures),
        *duplicate_findings(samples, families, duplicates.likeness()),
        *label_check.findings,
        *(template_findings(samples) if thumbnails is None else quality_issues(thumbnails, samples.names)),
        *_imbalance(samples),
    ]
    return Audit(
        images=len(samples),
        counts=samples.counts(),
        findings=sort_findings(iter(findings)),
        groups=groups_of_rows,
        claims=label_check.claims,
        notes=(
            *dataset.notes,
            *_remark_notes(samples, thumbnails, backbone),
            *([] if label_check.series else [_group_note(samples)]),
            *label_check.notes,
        ),
        samples=samples,
        typical=label_check.typical,
        hindrance=label_check.hindrance,
    )


def _remark_notes(samples: Samples, thumbnails: Thumbnails | None, backbone: str) -> tuple[str, ...]:
    """What a user should know of how images or texts were read."""
    if thumbnails is not None:
        return remark_notes(thumbnails.fact("remarks").astype(int).tolist())
    from headstart.backbones.opening import open_backbone

    notes: tuple[str, ...] = open_backbone(backbone).spec.notes(samples.items)
    return notes


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
                "of it, or train with --class-weight balanced."
            )
            yield Finding(name, IMBALANCE, sentence, 1 - count / counts[largest], LOOK)


def _group_note(samples: Samples) -> str:
    if samples.groups is not None:
        return f"The data name {quantity(len(np.unique(samples.groups)), 'group')}; folds hold each together."
    return (
        "The data name no groups: where images come in series (of one patient, plant, site or video), name them with a "
        "group column, because only duplicates can be found here."
    )


@dataclass(frozen=True, eq=False)
class _LabelCheck:
    """What the search for label issues found. The fields are those of `Audit`."""

    findings: tuple[Finding, ...] = ()
    claims: AccuracyClaims | None = None
    notes: tuple[str, ...] = ()
    typical: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    hindrance: str = ""
    series: tuple[tuple[int, ...], ...] = ()


def _check_labels(
    samples: Samples,
    duplicates: Duplicates,
    failures: Sequence[Failure],
    thumbnails: Thumbnails | None,
    backbone: str,
    run: Run,
    *,
    series: bool,
) -> _LabelCheck:
    """Series, label issues by confident learning, and the accuracies with and without leakage.

    failures: what cannot be read. thumbnails: of what can, None of texts. series: whether to look for some.
    """
    rows = _certain_rows(samples, np.setdiff1d(np.arange(len(samples)), [failure.row for failure in failures]))
    samples, families, groups = samples.take(rows), duplicates.families()[rows], duplicates.groups()[rows]
    try:
        if not len(samples):
            raise DataError(
                "no image can be read and has a label that its exact duplicates share: mend the files or labels."
            )
        check_enough(samples.labels, samples.classes, groups)
    except DataError as error:
        return _LabelCheck(notes=(f"Labels were not checked: {error}",), hindrance=str(error))
    try:
        square = None if thumbnails is None else choose_fit(samples, thumbnails, AUTO, run)
        X, last = _embed_layers(samples, backbone, None if square is None else square.fit, run)
        search = look_for_series(samples, X, last, duplicates, families, rows) if series else SeriesSearch()
        groups = join_groups(groups, search.groups)
        probabilities = probe_probabilities(X, samples.labels, groups, run)
    except DataError as error:
        return _LabelCheck(notes=(f"Labels were not checked: {error}",))
    claims = None
    if search.groups or len(rows) - len(np.unique(families)) >= MANY_DUPLICATES * len(rows):
        leaky = probe_probabilities(X, samples.labels, samples.groups, run)
        claims = accuracy_claims(leaky, probabilities, samples.labels)
    findings, issues = label_issues(samples, probabilities, rows)
    typical = {name: tuple(rows[places].tolist()) for name, places in _typical(samples, probabilities, groups, issues)}
    series_of_rows = tuple(tuple(rows[list(members)].tolist()) for members in search.groups)
    few_things = bool(search.groups) and any(finding.kind == CLASSES for finding in findings)
    sentences = (search.note, "" if square is None else square.note, _FEW_THINGS if few_things else "")
    notes, findings = tuple(note for note in sentences if note), () if few_things else findings
    return _LabelCheck((*search.findings, *findings), claims, notes, typical, series=series_of_rows)


def _typical(samples: Samples, probabilities: Floats, groups: Ints, issues: Ints) -> Iterator[tuple[str, list[int]]]:
    """Of each class the most confident right predictions, one of each group, without those with a label issue."""
    right = probabilities.argmax(axis=1) == samples.labels
    right[issues] = False
    for label, name in enumerate(samples.classes):
        rows = np.flatnonzero(right & (samples.labels == label))
        by_confidence = rows[np.argsort(-probabilities[rows, label], kind="stable")]
        row_of_group: dict[int, int] = {}
        for row in by_confidence.tolist():
            row_of_group.setdefault(int(groups[row]), row)
        yield name, list(row_of_group.values())[:_TYPICAL]


def _certain_rows(samples: Samples, readable: Ints) -> Ints:
    """The readable, labelled rows whose exact duplicates do not contradict them."""
    certain = np.isin(np.arange(len(samples)), readable) & (samples.labels != UNLABELLED)
    for rows in exact_duplicates(samples.content):
        if len({int(samples.labels[row]) for row in rows}) > 1:
            certain[rows] = False
    return np.flatnonzero(certain)


def _embed_layers(samples: Samples, name: str, fit: str | None, run: Run) -> tuple[Floats, Floats]:
    """Several layers of the backbone side by side, (n, d), and the last one alone."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.features import embed_backbone

    backbone = open_backbone(name)
    backbone = backbone if fit is None else replace(backbone, spec=replace(backbone.spec, fit=fit))
    embeddings = embed_backbone(samples, backbone, run)
    if embeddings.failures:
        raise DataError(f"{embeddings.failures[0].name} could be read at first and then no more; run the audit again.")
    return embeddings.joined([tap.name for tap in backbone.taps[-LAYERS:]]), embeddings.last
