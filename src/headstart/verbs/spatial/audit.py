"""The audit of images with boxes or masks: what would spoil a detector or segmenter, or its measurement.

Faults of the annotations by file and line, class names that differ by a letter, repeated images (with other labels, or
on both sides of a split), drives on both sides, classes with few objects, very small objects, and, of boxes, objects
that are perhaps not labelled: seen surely by heads that had not seen the image. Nothing is changed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbones.opening import open_backbone
from headstart.checks import quantity
from headstart.data.duplicates.near import MOST_COMPARED, search_samples
from headstart.data.series.keys import AUTO
from headstart.data.sources.annotations.find import Form
from headstart.data.sources.annotations.load import load_with_faults, names_alike
from headstart.data.sources.annotations.objects import Fault
from headstart.data.splits import held_out_rows
from headstart.embed.spatial.canvas import canvas_for
from headstart.embed.spatial.taps import TapEngine
from headstart.metrics.boxes.average_precision import FEWEST
from headstart.pipeline.spatial.collect import collect
from headstart.pipeline.spatial.fit import NETWORK, fit_spatial
from headstart.pipeline.spatial.groups import groups_by_rule
from headstart.records.boxes import Boxes
from headstart.records.samples import Samples
from headstart.storage.files import write_atomically
from headstart.tasks.boxes import BOXES
from headstart.trust.unlabelled_objects import UnlabelledObject, most_named, unlabelled_objects

BOTH_SIDES, SERIES, CONTRADICTION = "same picture in two splits", "series in two splits", "repeated with other labels"
MISSING, NAMES, FEW, SMALL = "object perhaps not labelled", "class names alike", "few of a class", "very small objects"
REPEATED = "repeated picture"
ORDER = (BOTH_SIDES, CONTRADICTION, SERIES, NAMES, MISSING, FEW, SMALL, REPEATED)
_SMALL_SIDE = 8
"""Pixels of the canvas: a cell of the grid that answers are made on."""
_FEWEST_IMAGES = 10


@dataclass(frozen=True)
class SpatialFinding:
    """One thing that was found. name: of the image, file and line, or class. kind: a phrase that counts with others.
    sentence: what was found and what to do. score: how sure, 0 to 1."""

    name: str
    kind: str
    sentence: str
    score: float = 1.0


@dataclass(frozen=True, eq=False)
class SpatialAudit:
    """All that was found. task: boxes or masks. images: how many. counts: objects (or images) a class. findings: faults
    first, then in the order in which they matter. notes: what could not be looked at."""

    task: str
    images: int
    counts: dict[str, int]
    findings: tuple[SpatialFinding, ...]
    notes: tuple[str, ...] = ()

    def kinds(self) -> dict[str, tuple[SpatialFinding, ...]]:
        """The findings of each kind, in order."""
        return {kind: tuple(f for f in self.findings if f.kind == kind) for kind in self._order()}

    def _order(self) -> list[str]:
        kinds = Counter(finding.kind for finding in self.findings)
        return [*(kind for kind in kinds if kind not in ORDER), *(kind for kind in ORDER if kind in kinds)]

    def headline(self) -> str:
        """What was found, in a sentence."""
        kinds = self.kinds()
        faults = sum(len(found) for kind, found in kinds.items() if kind not in ORDER)
        parts = [f"{quantity(faults, 'fault')} in the annotations"] if faults else []
        parts += [f"{kind} ({len(kinds[kind]):,})" for kind in ORDER if kind in kinds]
        return ", ".join(parts) if parts else "Nothing was found that would spoil a model or its measurement"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {
            "task": self.task,
            "images": self.images,
            "classes": self.counts,
            "counts": {kind: len(found) for kind, found in self.kinds().items()},
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
        }

    def write_csv(self, path: Path) -> None:
        """Write every finding, one a line; raises `OSError`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", "kind", "score", "sentence"))
        writer.writerows((f.name, f.kind, f"{f.score:.3f}", f.sentence) for f in self.findings)
        write_atomically(path, text.getvalue().encode())


def audit_spatial(
    form: Form,
    task: str,
    *,
    void: Sequence[str] = (),
    backbone: str = "lite0",
    group_by: str = AUTO,
    seed: int = 0,
    cache: bool = True,
) -> SpatialAudit:
    """Look through images with boxes or masks. Raises `DataError` where the data cannot be read at all."""
    dataset, faults = load_with_faults(form, task, void)
    samples = dataset.samples
    target: Any = samples.target
    findings = [*_faults(faults), *_names(target.names)]
    notes: list[str] = []
    if len(samples) <= MOST_COMPARED:
        findings += _repeats(samples, search_samples(samples, cache=cache).groups)
    else:
        notes.append(f"More than {MOST_COMPARED:,} images: repeated ones were not searched for.")
    findings += _series(samples, groups_by_rule(samples, group_by, cache=cache))
    counts = target.objects() if isinstance(target, Boxes) else target.describe()
    findings += _few(counts, "objects" if isinstance(target, Boxes) else "images")
    if isinstance(target, Boxes):
        findings += _small(samples)
        suspects, note = _missing(samples, backbone, seed)
        findings += suspects
        notes += note
    return SpatialAudit(task, len(samples), counts, tuple(findings), tuple(notes))


def _faults(faults: Sequence[Fault]) -> Iterator[SpatialFinding]:
    for fault in sorted(faults, key=lambda fault: fault.kind):
        yield SpatialFinding(fault.place, fault.kind, f"{fault.kind}{f': {fault.detail}' if fault.detail else ''}.")


def _names(names: Sequence[str]) -> Iterator[SpatialFinding]:
    for one, other in names_alike(names):
        yield SpatialFinding(
            f"{one} / {other}", NAMES, f"{one!r} and {other!r} are two classes here: rename one if they are the same."
        )


def _labels_of(samples: Samples, row: int) -> Any:
    """What is labelled in an image, comparable: counts of objects or pixels a class."""
    values: Any = samples.target.values
    return tuple(values[row].tolist())


def _repeats(samples: Samples, groups: Sequence[Sequence[int]]) -> Iterator[SpatialFinding]:
    splits = samples.splits
    for first, *others in groups:
        for row in others:
            name, like = samples.names[row], samples.names[first]
            if splits is not None and splits[row] != splits[first]:
                sentence = f"It repeats {like}, which is in {splits[first]}: take one of them out of its split."
                yield SpatialFinding(name, BOTH_SIDES, sentence)
            elif samples.content[row] == samples.content[first] and _labels_of(samples, row) != _labels_of(
                samples, first
            ):
                yield SpatialFinding(name, CONTRADICTION, f"It is {like} with other labels: keep the right ones.")
            else:
                yield SpatialFinding(name, REPEATED, f"It repeats {like}; training keeps both in one fold.", 0.5)


def _series(samples: Samples, numbers: Any) -> Iterator[SpatialFinding]:
    if numbers is None or samples.splits is None:
        return
    for number in np.unique(numbers):
        members = np.flatnonzero(numbers == number)
        parts = Counter(samples.splits[members].tolist())
        if len(parts) > 1:
            shares = ", ".join(f"{count:,} in {split}" for split, count in parts.items())
            sentence = f"{quantity(len(members), 'image')} of one drive or series: {shares}; split by series instead."
            yield SpatialFinding(samples.names[int(members[0])], SERIES, sentence)


def _few(counts: dict[str, int], unit: str) -> Iterator[SpatialFinding]:
    for name, count in counts.items():
        if count < FEWEST:
            yield SpatialFinding(name, FEW, f"{count:,} {unit}: below {FEWEST} it gets no figure of its own; add some.")


def _small(samples: Samples) -> Iterator[SpatialFinding]:
    """Images with objects that are smaller on the canvas than a cell."""
    target: Any = samples.target
    canvas = canvas_for(target.sizes, BOXES.longest)
    sides = (target.corners[:, 2:] - target.corners[:, :2]).max(axis=1)
    scale = np.array([min(canvas.scales(*size)) for size in target.sizes.tolist()])
    small = Counter(target.image[sides * scale[target.image] < _SMALL_SIDE].tolist())
    for row, count in small.items():
        sentence = f"{quantity(count, 'object')} below {_SMALL_SIDE} pixels as the model sees it: train with --size."
        yield SpatialFinding(samples.names[row], SMALL, sentence, 0.5)


def _missing(samples: Samples, backbone: str, seed: int) -> tuple[list[SpatialFinding], list[str]]:
    """Objects that heads which had not seen the image are sure of, where nothing is labelled."""
    target: Any = samples.target
    rows = np.flatnonzero(~held_out_rows(samples)[0])
    if len(rows) < _FEWEST_IMAGES:
        return [], [f"Missing objects were not looked for: that takes {_FEWEST_IMAGES} images; there are {len(rows)}."]
    engine = TapEngine(open_backbone(backbone), canvas_for(target.sizes, BOXES.longest))
    data = collect(samples.take(rows), BOXES, engine, seed=seed, max_unreadable=1.0)
    fit = fit_spatial(data, BOXES, heads=(NETWORK,), seed=seed)
    boxes: Any = data.samples.target
    suspects = unlabelled_objects(boxes, fit.measured[0].kept)
    named = suspects[: most_named(len(boxes.image))]
    note = (
        f"Of {quantity(len(suspects), 'object')} seen as surely where nothing is labelled, the surest "
        f"{len(named):,} are named: forgotten labels come in numbers, so look at all of such images."
    )
    return [_suspect(data.samples, suspect) for suspect in named], [note] if len(suspects) > len(named) else []


def _suspect(samples: Samples, suspect: UnlabelledObject) -> SpatialFinding:
    target: Any = samples.target
    place = ", ".join(f"{value:.0f}" for value in suspect.corners)
    sentence = (
        f"{target.names[suspect.label]} seen at {place} (left, top, right, bottom), where nothing is labelled; of "
        f"those seen so surely {100 * suspect.right:.0f} % are labelled: look, and label it if it is one."
    )
    return SpatialFinding(samples.names[suspect.row], MISSING, sentence, suspect.right)
