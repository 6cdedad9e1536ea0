"""A measured detector or segmenter, as it is saved: a manifest, the head, what promises rest on, the images' prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart._version import __version__
from headstart.metrics.intervals import Estimate
from headstart.model import bundle
from headstart.model.manifest import versions_section
from headstart.model.spatial.predictor import SpatialPredictor
from headstart.records.samples import Failure
from headstart.tasks.spatial import Scores

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

HEAD_FILE, TRUST_FILE, IMAGES_FILE = "head.safetensors", "trust.safetensors", "images.json"


@dataclass(frozen=True, eq=False)
class SpatialModel:
    """predictor: what predicts. head: ridge or network. folds: of the comparison. scores: of the winner, out of fold.
    compared: each head's name and main estimate, the winner first. gain: of the winner over the other. held_out: scores
    on the split kept apart, None where there is none. operating: share of objects seen and of shown ones that are
    right, at the threshold. counts: objects (or images) a class. images: fingerprints of those trained on. groups: how
    many groups of duplicates hold images together."""

    predictor: SpatialPredictor
    head: str
    folds: int
    scores: Scores
    compared: tuple[tuple[str, Estimate], ...]
    gain: Estimate | None
    held_out: Scores | None
    operating: tuple[float, float] | None
    counts: Mapping[str, int]
    images: tuple[str, ...]
    held_out_images: int
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    seed: int
    unit: str = "objects"
    ignored: Mapping[str, int] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Everything known of the model as JSON-able values."""
        predictor = self.predictor
        return {
            "headstart": __version__,
            "task": predictor.task.name,
            "classes": list(predictor.classes),
            "backbones": [_backbone_section(predictor.backbone, predictor.engine.taps)],
            "canvas": predictor.canvas.to_dict(),
            "head": {"kind": self.head, "file": HEAD_FILE},
            "threshold": predictor.threshold,
            "trust": None if predictor.trust is None else {"file": TRUST_FILE},
            "scores": {
                "out_of_fold": scores_values(self.scores),
                "held_out": None if self.held_out is None else scores_values(self.held_out),
                "compared": [{"head": name, "score": asdict(score)} for name, score in self.compared],
                "gain": None if self.gain is None else asdict(self.gain),
                "operating": None if self.operating is None else list(self.operating),
            },
            "data": {
                "images": len(self.images),
                "held_out": self.held_out_images,
                "counts": dict(self.counts),
                "unit": self.unit,
                "folds": self.folds,
                "ignored": dict(self.ignored),
                "file": IMAGES_FILE,
            },
            "training": {"seed": self.seed},
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "notes": list(self.notes),
            "unreadable": [{"image": f.name, "reason": f.reason} for f in self.failures],
            "versions": versions_section(),
        }

    def save(self, folder: Path | str, *, overwrite: bool = False, command: Sequence[str] = ()) -> None:
        """Write the bundle; raises `OptionError` where something else lies there."""
        folder = Path(folder)
        bundle.check_destination(folder, overwrite=overwrite)
        predictor = self.predictor
        files: dict[str, Any] = {
            HEAD_FILE: predictor.head.to_arrays(),
            IMAGES_FILE: json.dumps({"content": list(self.images)}).encode(),
        }
        if predictor.trust is not None:
            files[TRUST_FILE] = predictor.trust.to_arrays()
        backbone = predictor.backbone
        if not backbone.packaged:
            stem = backbone.graph.stem
            files |= {f"{stem}.onnx": backbone.graph, f"{stem}.json": backbone.graph.with_suffix(".json")}
        bundle.write_bundle(folder, {**self.manifest(), "command": list(command)}, files)


def scores_values(scores: Scores) -> dict[str, Any]:
    """Scores as JSON-able values; a figure that is not known is None."""
    per_class = [{name: _plain(value) for name, value in row.items()} for row in scores.per_class]
    return {"estimates": [asdict(estimate) for estimate in scores.estimates], "per_class": per_class}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def _backbone_section(backbone: Backbone, taps: Sequence[str]) -> dict[str, Any]:
    return {
        "name": backbone.name,
        "file": backbone.graph.stem,
        "weights": backbone.weights,
        "packaged": backbone.packaged,
        "delta": None,
        "taps": list(taps),
        "spec": backbone.spec.to_dict(),
        "licence": backbone.licence,
    }
