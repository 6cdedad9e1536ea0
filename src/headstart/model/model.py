"""A model: what training, extending and adapting give back, and what is saved.

`Model.save` writes the bundle; `Model.manifest` is the same knowledge as JSON-like values, from which every printed
table and every page is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart._version import __version__
from headstart.checks import first_lines
from headstart.choose.strategy import About, LeftOut
from headstart.model import bundle
from headstart.model.facts import DataFacts, TrainingFacts
from headstart.model.golden import GOLDEN_FILE, GoldenImages
from headstart.model.manifest import (
    Suspect,
    candidates_section,
    delta_file,
    parts_section,
    plain_values,
    scores_section,
    suspects_section,
    versions_section,
)
from headstart.model.rows import ROWS_FILE, arrays_of, weight_fingerprints
from headstart.model.summary import summary
from headstart.model.trust import TRUST_FILE, TrustFit
from headstart.records.notebook import NotebookText
from headstart.records.rows import Rows
from headstart.records.samples import Failure

if TYPE_CHECKING:
    from headstart.choose.race import RaceResult
    from headstart.metrics.intervals import Estimate
    from headstart.model.evaluation import Evaluation
    from headstart.model.predictor import Predictor
    from headstart.trust.calibration.choose import CalibrationChoice

HEAD_FILE = "head.safetensors"
UNREADABLE_FILE = "unreadable.csv"


@dataclass(frozen=True, eq=False, repr=False)
class Model(NotebookText):
    """A measured, fitted model; `train` makes one, `extend` another.

    Attributes
    ----------
    predictor : Predictor
        What predicts.
    race : RaceResult
        The comparison that its strategy won.
    about : About
        The strategy.
    head : str
        The head's name in the catalogue, or the fine-tune's.
    calibration : CalibrationChoice
        How its scores became probabilities.
    trust : TrustFit, optional
        What guarantees are made from; None where none can be made.
    held_out : Evaluation, optional
        How it did on the split that was kept apart; None where there was none.
    left_out : tuple of LeftOut
        Strategies that took no part, and why.
    failures : tuple of Failure
        Images that could not be read.
    data : DataFacts
        What it was trained on.
    training : TrainingFacts
        How it was trained.
    notes : tuple of str
        Sentences for the user.
    seconds : mapping
        What each step took.
    rows : Rows, optional
        The rows it was fitted to; None where they are not kept.
    golden : GoldenImages, optional
        A few training images as pixels, beside which an export is run; None where none are kept.
    suspects : tuple of Suspect
        Images whose quality or label is doubtful; none was left out for that.
    extension : mapping
        More sections of the manifest, of a model that was made from another.
    """

    predictor: Predictor
    race: RaceResult
    about: About
    head: str
    calibration: CalibrationChoice
    trust: TrustFit | None
    held_out: Evaluation | None
    left_out: tuple[LeftOut, ...]
    failures: tuple[Failure, ...]
    data: DataFacts
    training: TrainingFacts
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    rows: Rows | None = None
    golden: GoldenImages | None = None
    suspects: tuple[Suspect, ...] = ()
    extension: Mapping[str, Any] = field(default_factory=dict)

    @property
    def estimate(self) -> Estimate:
        """The score to expect on new images like these, corrected for the winner's having been chosen."""
        return self.race.estimate

    @property
    def chosen(self) -> str:
        """The winner in words: its head and what it looks at."""
        return self.about.title

    def __repr__(self) -> str:
        return first_lines(f"Model: {self.chosen}\n{self.summary()}")

    def summary(self, *, details: bool = False) -> str:
        """A few lines for a person: how good it is, what it confuses, what next. details: the contest's result too."""
        return summary(self.manifest(), details=details)

    def manifest(self, command: Sequence[str] = ()) -> dict[str, Any]:
        """Everything known of the model, as JSON-like values."""
        predictor = self.predictor
        return {
            "headstart": __version__,
            "task": predictor.task,
            "classes": list(predictor.classes),
            "backbones": parts_section(predictor.parts),
            "head": {
                "name": self.head,
                "candidate": self.about.name,
                "features": self.about.features,
                "configuration": plain_values(self.race.configuration),
                "kind": predictor.form.kind,
                "file": HEAD_FILE,
                "temperature": predictor.calibration.temperature,
                "calibration": predictor.calibration.to_dict(),
            },
            "scores": scores_section(self.race, self.calibration, self.held_out, self.data.counts),
            "trust": None if self._trust is None else self._trust.to_dict(predictor.classes),
            "candidates": candidates_section(self.race, self.left_out),
            "suspects": suspects_section(self.suspects),
            "data": {**asdict(self.data), "unreadable": len(self.failures)},
            "training": self.training.to_dict(),
            "notes": list(self.notes),
            "seconds": {step: round(value, 2) for step, value in self.seconds.items()},
            "versions": versions_section(),
            "command": list(command),
            **self.extension,
        }

    @property
    def _weights(self) -> tuple[str, ...]:
        return weight_fingerprints(self.predictor.parts)

    @property
    def _trust(self) -> TrustFit | None:
        """The evidence, unless it is about other backbones."""
        return self.trust if self.trust is not None and self.trust.weights == self._weights else None

    def save(self, folder: Path | str, *, overwrite: bool = False, command: Sequence[str] = ()) -> None:
        """Write the bundle to `folder`: whole or not at all. overwrite: replace a model that lies there."""
        bundle.check_destination(Path(folder), overwrite=overwrite)
        parts = self.predictor.parts
        files: dict[str, bytes | Path | bundle.Arrays] = {HEAD_FILE: self.predictor.form.to_arrays()}
        for part in parts:
            files |= part.backbone.files()
            if part.backbone.delta is not None:
                files[str(delta_file(part, parts))] = part.backbone.delta.content
        if self.rows is not None and self.rows.weights == self._weights:
            files[ROWS_FILE] = arrays_of(self.rows)
        if self._trust is not None:
            files[TRUST_FILE] = self._trust.record.to_arrays()
        if self.golden is not None and self.golden.files:
            files[GOLDEN_FILE] = self.golden.to_arrays()
        if self.failures:
            files[UNREADABLE_FILE] = unreadable_table(self.failures)
        bundle.write_bundle(Path(folder), self.manifest(command), files)


def unreadable_table(failures: Sequence[Failure]) -> bytes:
    """The images that could not be read, as a CSV table with the columns path and reason."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "reason"])
    writer.writerows((failure.name, failure.reason) for failure in failures)
    return text.getvalue().encode("utf-8", "backslashreplace")
