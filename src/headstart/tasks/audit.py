"""The audit of a data set: everything in it that would spoil a model or its measurement, found before training.

`audit` takes a folder, a table or lists and returns an `Audit` of frozen findings: unreadable images, exact and near
copies (also turned, mirrored and cropped ones), copies across splits, copies with different labels, labels that are
probably wrong, imbalance, odd sizes, near-black, near-white and blurred images. It changes no data; `Audit.write_plan`
proposes what to leave out, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.checks import counted
from headstart.data.exclusions import EXCLUDE, GROUP
from headstart.data.loaded import SPLITS, Loaded
from headstart.data.near_duplicates import find, merged
from headstart.data.quality import doubtful
from headstart.data.sources import load
from headstart.data.thumbnails import looks
from headstart.errors import DataError, MissingExtra
from headstart.records import UNLABELLED, Failure, Floats, Ints, Samples
from headstart.tasks.findings import (
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    LEAK,
    LOOK,
    MISLABEL,
    NEAR,
    UNREADABLE,
    Audit,
    Claims,
    Finding,
    ordered,
)
from headstart.tasks.out_of_fold import LAYERS, MANY_COPIES, claims, probabilities

BACKBONE = "efficientnet_lite0"
_IMBALANCE = 5
_SHOWN_LIKENESS = 0.9995


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
    samples, notes = _loaded(data, labels, groups)
    seen = looks(samples, cache=cache)
    near = find(samples, cache=cache, seen=seen)
    likeness = {
        row: value
        for group, values in zip(near.groups, near.likeness, strict=True)
        for row, value in zip(group, values, strict=True)
    }
    families = merged(replace(samples, groups=None), (*near.groups, *_exact(samples)))
    groups_of = merged(samples, (*near.groups, *_exact(samples)))
    checked = _mislabels(_Labels(samples, families, groups_of, seen.rows, backbone, seed, device, cache))
    findings = [
        *_unreadable(seen.failures),
        *_copies(samples, families, likeness),
        *checked.findings,
        *(
            Finding(samples.names[doubt.row], doubt.kind, doubt.sentence, doubt.severity, LOOK)
            for doubt in doubtful(seen)
        ),
        *_imbalance(samples),
    ]
    return Audit(
        len(samples),
        samples.counts(),
        ordered(iter(findings)),
        groups_of,
        checked.claims,
        (*notes, *_group_notes(samples), *checked.notes),
    )


def _loaded(data: Any, labels: Any, groups: Any) -> tuple[Samples, tuple[str, ...]]:
    loaded = data if isinstance(data, Loaded) else load(data, labels=labels, groups=groups)
    return loaded.samples, loaded.notes


def _exact(samples: Samples) -> tuple[tuple[int, ...], ...]:
    """The rows of each picture whose bytes are there more than once."""
    rows: dict[str, list[int]] = {}
    for row, content in enumerate(samples.content):
        rows.setdefault(content, []).append(row)
    return tuple(tuple(each) for each in rows.values() if len(each) > 1)


def _unreadable(failures: Sequence[Failure]) -> Iterator[Finding]:
    for failure in failures:
        yield Finding(failure.name, UNREADABLE, f"It cannot be read: {failure.reason}.", 1.0, EXCLUDE)


def _copies(samples: Samples, families: Ints, likeness: dict[int, float]) -> Iterator[Finding]:
    """What is found of each family of copies: contradictions, leaks, and plain copies."""
    order = np.argsort(families, kind="stable")
    sizes = np.bincount(families)
    number = 0
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        if len(rows) < 2:
            continue
        number += 1
        members = sorted(rows.tolist(), key=lambda row: (-likeness.get(row, 0.0), row))
        yield from _contradiction(samples, members, str(number))
        yield from _leak(samples, members, str(number))
        yield from _plain(samples, members, likeness, str(number))


def _contradiction(samples: Samples, rows: list[int], group: str) -> Iterator[Finding]:
    """Copies under different labels: exact ones are left out, as `train` does; near ones are for a person."""
    given = {int(samples.labels[row]) for row in rows} - {UNLABELLED}
    if len(given) < 2:
        return
    for row in rows:
        others = [other for other in rows if samples.labels[other] != samples.labels[row]]
        other = next((each for each in others if samples.content[each] == samples.content[row]), others[0])
        same = samples.content[other] == samples.content[row]
        sentence = (
            f"It is in {_class(samples, row)}, and {'an exact' if same else 'a near'} copy of it, "
            f"{samples.names[other]}, is in {_class(samples, other)}."
        )
        yield Finding(
            samples.names[row],
            CONTRADICTION,
            sentence,
            1.0 if same else 0.9,
            EXCLUDE if same else LOOK,
            group,
            samples.names[other],
        )


def _leak(samples: Samples, rows: list[int], group: str) -> Iterator[Finding]:
    """Copies in several splits: those outside the split that is measured on are to be left out."""
    if samples.splits is None:
        return
    rank = {row: SPLITS.index(str(samples.splits[row])) for row in rows}
    last = max(rank, key=lambda row: rank[row])
    for row in rows:
        if rank[row] < rank[last]:
            sentence = (
                f"It is in {samples.splits[row]}, and a copy of it, {samples.names[last]}, is in "
                f"{samples.splits[last]}: a score there would be too good."
            )
            yield Finding(samples.names[row], LEAK, sentence, 1.0, EXCLUDE, group, samples.names[last])


def _plain(samples: Samples, rows: list[int], likeness: dict[int, float], group: str) -> Iterator[Finding]:
    """Every further copy of a family's first picture."""
    first, seen = rows[0], {samples.content[rows[0]]: rows[0]}
    for row in rows[1:]:
        if (same := seen.get(samples.content[row])) is not None:
            sentence = f"It has the same bytes as {samples.names[same]}."
            yield Finding(samples.names[row], EXACT, sentence, 1.0, GROUP, group, samples.names[first])
            continue
        seen[samples.content[row]] = row
        alike = min(likeness.get(row, 1.0), _SHOWN_LIKENESS)
        sentence = (
            f"It is a near copy of {samples.names[first]}, perhaps turned, mirrored or cropped (alike {alike:.2f})."
        )
        yield Finding(samples.names[row], NEAR, sentence, alike, GROUP, group, samples.names[first])


def _class(samples: Samples, row: int) -> str:
    label = int(samples.labels[row])
    return repr(samples.classes[label]) if label != UNLABELLED else "no class"


def _imbalance(samples: Samples) -> Iterator[Finding]:
    """Classes with few images beside the largest."""
    counts = samples.counts()
    if not counts:
        return
    largest = max(counts, key=lambda name: counts[name])
    for name, count in counts.items():
        if count * _IMBALANCE <= counts[largest]:
            sentence = (
                f"It has {counted(count, 'image')}, the largest class, {largest!r}, {counts[largest]:,}: add images of "
                "it, or train with --class-weight balanced."
            )
            yield Finding(name, IMBALANCE, sentence, 1 - count / counts[largest], LOOK)


def _group_notes(samples: Samples) -> tuple[str, ...]:
    if samples.groups is not None:
        return (f"The data name {counted(len(np.unique(samples.groups)), 'group')}; folds hold each together.",)
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
    claims: Claims | None = None
    notes: tuple[str, ...] = ()


def _mislabels(work: _Labels) -> _Checked:
    """Wrong labels by confident learning, and what folds that part copies would claim."""
    from headstart.trust.mislabels import mislabels

    rows = _certain(work)
    samples = work.samples.take(rows)
    try:
        _check(samples, work.groups[rows])
        X = _embedded(samples, work)
        found = probabilities(X, samples.labels, work.groups[rows], seed=work.seed, cache=work.cache)
    except DataError as error:
        return _Checked(notes=(f"Labels were not checked: {error}",))
    claimed = None
    if len(rows) - len(np.unique(work.families[rows])) >= MANY_COPIES * len(rows):
        apart = probabilities(X, samples.labels, samples.groups, seed=work.seed, cache=work.cache)
        claimed = claims(apart, found, samples.labels)
    try:
        wrong = mislabels(samples.labels, found)
    except MissingExtra as error:
        return _Checked(claims=claimed, notes=(f"Labels were not checked: {error}",))
    findings = []
    for row, suggested, value in zip(wrong.rows, wrong.suggested, wrong.quality, strict=True):
        sentence = (
            f"It is labelled {samples.classes[samples.labels[row]]!r}; a model that has not seen it says "
            f"{samples.classes[suggested]!r} ({found[row, suggested]:.0%}; {value:.0%} for its label)."
        )
        findings.append(Finding(samples.names[row], MISLABEL, sentence, 1 - float(value), LOOK))
    return _Checked(tuple(findings), claimed)


def _certain(work: _Labels) -> Ints:
    """The readable, labelled rows whose exact copies do not contradict them."""
    samples = work.samples
    wanted = np.isin(np.arange(len(samples)), work.readable) & (samples.labels != UNLABELLED)
    for rows in _exact(samples):
        if len({int(samples.labels[row]) for row in rows}) > 1:
            wanted[list(rows)] = False
    return np.flatnonzero(wanted)


def _check(samples: Samples, groups: Ints) -> None:
    from headstart.data.splits import check_enough

    check_enough(samples.labels, samples.classes, groups)


def _embedded(samples: Samples, work: _Labels) -> Floats:
    """Several layers of the backbone side by side, a row an image."""
    from headstart.backbones.graph import open_backbone
    from headstart.device import choose
    from headstart.embed.cache import open_cache
    from headstart.embed.extract import embed

    backbone = open_backbone(work.backbone)
    found = embed(
        samples.images,
        backbone,
        content=samples.content,
        names=samples.names,
        device=choose(work.device),
        cache=open_cache(backbone) if work.cache else None,
    )
    if found.failures:
        raise DataError(f"{found.failures[0].name} could be read at first and then no more; run the audit again.")
    return found.joined([tap.name for tap in backbone.taps[-LAYERS:]])
