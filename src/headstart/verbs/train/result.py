"""What a training run gives back: the fitted predictor, the comparison it won, and what was noticed on the way.

`Trained.save` writes the bundle; `Trained.manifest` is the same knowledge as JSON-like values, from which every printed
table and every page is made.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart._version import __version__
from headstart.backbones.deltas import SUFFIX
from headstart.model import bundle
from headstart.model.rows import TRAINING_FILE, weight_fingerprints
from headstart.pipeline.prepare import DataFacts
from headstart.pipeline.trust import TRUST_FILE

if TYPE_CHECKING:
    from headstart.choose.race import RaceResult
    from headstart.embed.features import Part
    from headstart.metrics.intervals import Estimate
    from headstart.model.evaluation import Evaluation
    from headstart.model.predictor import Predictor
    from headstart.model.rows import TrainingRows
    from headstart.pipeline.candidates import LeftOut, Plan
    from headstart.pipeline.options import Options
    from headstart.pipeline.trust import TrustFit
    from headstart.records.samples import Failure
    from headstart.trust.calibration.choose import CalibrationChoice
    from headstart.verbs.audit.findings import Finding

HEAD_FILE = "head.safetensors"
UNREADABLE_FILE = "unreadable.csv"
_REPORTED = ("numpy", "scipy", "scikit-learn", "openvino", "pillow")


@dataclass(frozen=True, eq=False)
class Trained:
    """A measured, fitted classifier.

    predictor: for new pictures. race: the comparison. plan: the candidate that won. held_out: how it did on the split
    that was kept apart, None where there was none. left_out: candidates that took no part. failures: unreadable images.
    notes: sentences for the user. seconds: what each step took. training: the rows it was fitted to, None where they
    are not kept. calibration: how its scores became probabilities. trust: what promises are made from, None where none
    can be made. extension: more entries of the manifest, where this is an older model to which images were added.
    doubts: images whose quality or label is doubtful; none was left out for that.
    """

    predictor: Predictor
    race: RaceResult
    plan: Plan
    held_out: Evaluation | None
    left_out: tuple[LeftOut, ...]
    failures: tuple[Failure, ...]
    data: DataFacts
    notes: tuple[str, ...]
    options: Options
    seconds: Mapping[str, float]
    calibration: CalibrationChoice
    trust: TrustFit | None
    training: TrainingRows | None = None
    extension: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[Finding, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """The score to expect on new images like these, corrected for the winner's having been chosen."""
        return self.race.estimate

    @property
    def chosen(self) -> str:
        """The winner in words: its head and what it looks at."""
        return f"{self.plan.candidate.name} on {self.plan.candidate.features}"

    def summary(self) -> str:
        """A few lines for a person: what was chosen, how good it is, how sure that is."""
        from headstart.model.summary import summary

        return summary(self.manifest())

    def manifest(self, command: Sequence[str] = ()) -> dict[str, Any]:
        """Everything known of the model, as JSON-like values."""
        from headstart.model.manifest import candidates_section, plain_values, scores_section
        from headstart.verbs.audit.suspects import suspects_section

        return {
            "headstart": __version__,
            "task": "classify",
            "classes": list(self.predictor.classes),
            "backbones": [_part(part, self.predictor.parts) for part in self.predictor.parts],
            "head": {
                "name": self.plan.head,
                "candidate": self.plan.candidate.name,
                "features": self.plan.candidate.features,
                "settings": plain_values(self.race.setting),
                "kind": self.predictor.form.kind,
                "file": HEAD_FILE,
                "temperature": self.predictor.calibration.temperature,
                "calibration": self.predictor.calibration.to_dict(),
            },
            "scores": scores_section(self.race, self.calibration, self.held_out, self.data.counts),
            "trust": self._trust(),
            "candidates": candidates_section(self.race, self.left_out),
            "doubts": suspects_section(self.doubts),
            "data": {**asdict(self.data), "unreadable": len(self.failures)},
            "notes": list(self.notes),
            "options": _plain_options(self.options),
            "seed": self.options.seed,
            "seconds": {step: round(value, 2) for step, value in self.seconds.items()},
            "versions": {"python": platform.python_version(), **_versions()},
            "command": list(command),
            **self.extension,
        }

    def _trust(self) -> dict[str, Any] | None:
        """What promises are made from, in words and numbers; None where it is not about these backbones."""
        if self.trust is None or self.trust.weights != weight_fingerprints(self.predictor.parts):
            return None
        return self.trust.to_dict(self.predictor.classes)

    def save(self, folder: Path | str, *, command: Sequence[str] = ()) -> None:
        """Write the bundle to `folder`: whole or not at all; an older bundle there is replaced."""
        files: dict[str, bytes | Path | bundle.Arrays] = {HEAD_FILE: self.predictor.form.to_arrays()}
        for part in self.predictor.parts:
            if not part.backbone.packaged:
                graph = part.backbone.graph
                files[graph.name] = graph
                files[f"{graph.stem}.json"] = graph.with_suffix(".json")
            if part.backbone.delta is not None:
                files[str(_delta_file(part, self.predictor.parts))] = part.backbone.delta.content
        if self.training is not None and self.training.weights == weight_fingerprints(self.predictor.parts):
            files[TRAINING_FILE] = self.training.to_arrays()
        if self.trust is not None and self._trust() is not None:
            files[TRUST_FILE] = self.trust.record.to_arrays()
        if self.failures:
            files[UNREADABLE_FILE] = unreadable_table(self.failures)
        bundle.write_bundle(Path(folder), self.manifest(command), files)


def _plain_options(options: Options) -> dict[str, Any]:
    """The options as JSON-able values: no limit is called 'none', as on the command line."""
    found = asdict(options)
    return {**found, "budget": "none"} if options.budget is not None and math.isinf(options.budget) else found


def unreadable_table(failures: Sequence[Failure]) -> bytes:
    """The images that could not be read, as a CSV table with the columns path and reason."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "reason"])
    writer.writerows((failure.name, failure.reason) for failure in failures)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _part(part: Part, parts: Sequence[Part]) -> dict[str, Any]:
    backbone = part.backbone
    return {
        "name": backbone.name,
        "file": backbone.graph.stem,
        "weights": backbone.weights,
        "packaged": backbone.packaged,
        "delta": _delta_file(part, parts),
        "taps": list(part.taps),
        "spec": backbone.spec.to_dict(),
        "licence": backbone.licence,
    }


def _delta_file(part: Part, parts: Sequence[Part]) -> str | None:
    """What the file of a part's changed tensors is called; None where nothing was changed."""
    if part.backbone.delta is None:
        return None
    stem = part.backbone.graph.stem
    tuned = (other.backbone for other in parts if other.backbone.delta is not None)
    number = list(dict.fromkeys(b.weights for b in tuned if b.graph.stem == stem)).index(part.backbone.weights)
    return f"{stem}{f'-{number + 1}' if number else ''}{SUFFIX}"


def _versions() -> dict[str, str]:
    found = {}
    for package in _REPORTED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
