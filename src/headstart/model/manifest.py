"""A model's manifest: everything known of it as JSON-like values, section by section.

Every printed table and every page is made from it. `model.model.Model` puts the sections together.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

from headstart.backbones.deltas import SUFFIX
from headstart.model.evaluation import card_values

if TYPE_CHECKING:
    from headstart.choose.race import RaceLine, RaceResult
    from headstart.choose.strategy import LeftOut
    from headstart.embed.features import Part
    from headstart.model.evaluation import Evaluation
    from headstart.trust.calibration.choose import CalibrationChoice

LEFT_OUT = "left out"
_EXAMPLES = 3
_REPORTED = ("numpy", "scipy", "scikit-learn", "openvino", "pillow")


class Suspect(Protocol):
    """An image to look at: its name, the kind of its trouble, and a sentence."""

    @property
    def name(self) -> str:
        """What the image is called."""

    @property
    def kind(self) -> str:
        """What is doubtful about it."""

    @property
    def sentence(self) -> str:
        """For the user."""


def scores_section(
    race: RaceResult, calibration: CalibrationChoice, held_out: Evaluation | None, counts: Mapping[str, int]
) -> dict[str, Any]:
    """What the winner was measured to reach: the corrected estimate first. counts: images of each class."""
    majority = max(counts, key=lambda name: counts[name])
    return {
        "estimate": asdict(race.estimate),
        "uncorrected": race.raw,
        "configurations": race.configurations,
        "majority": {"class": majority, "score": race.baseline},
        "out_of_fold": card_values(race.card),
        "calibration": {name: value for name, value in calibration.to_dict().items() if name != "calibration"},
        "held_out": None if held_out is None else held_out.to_dict(),
    }


def candidates_section(race: RaceResult, left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """A line for each strategy, those that were left out at the end."""
    compared = [_line(line, place == race.winner) for place, line in enumerate(race.lines)]
    return compared + [{**asdict(strategy), "status": LEFT_OUT} for strategy in left_out]


def _line(line: RaceLine, chosen: bool) -> dict[str, Any]:
    return {
        "name": line.name,
        "features": line.features,
        "configuration": plain_values(line.configuration),
        "status": line.status,
        "score": asdict(line.score),
        "log_loss": line.log_loss,
        "gain": None if chosen else asdict(line.gain),
        "cost": line.cost,
        "seconds": round(line.seconds, 3),
        "reason": line.reason,
        "folds": f"{line.folds[0]} of {line.folds[1]}",
        "comparable": line.comparable,
    }


def plain_values(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A head's configuration as JSON-able values."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in configuration.items()}


def suspects_section(suspects: Iterable[Suspect]) -> dict[str, Any]:
    """Of each kind how many there are, and the first few; kinds in the order in which they come."""
    kinds: dict[str, list[Suspect]] = {}
    for suspect in suspects:
        kinds.setdefault(suspect.kind, []).append(suspect)
    return {
        kind: {
            "count": len(group),
            "examples": [{"image": suspect.name, "sentence": suspect.sentence} for suspect in group[:_EXAMPLES]],
        }
        for kind, group in kinds.items()
    }


def parts_section(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Where the head's input comes from."""
    return [
        {
            "name": part.backbone.name,
            "file": part.backbone.graph.stem,
            "weights": part.backbone.weights,
            "packaged": part.backbone.packaged,
            "delta": delta_file(part, parts),
            "taps": list(part.taps),
            "spec": part.backbone.spec.to_dict(),
            "licence": part.backbone.licence,
        }
        for part in parts
    ]


def delta_file(part: Part, parts: Sequence[Part]) -> str | None:
    """What the file of a part's changed tensors is called; None where nothing was changed."""
    if part.backbone.delta is None:
        return None
    stem = part.backbone.graph.stem
    tuned = (other.backbone for other in parts if other.backbone.delta is not None)
    number = list(dict.fromkeys(b.weights for b in tuned if b.graph.stem == stem)).index(part.backbone.weights)
    return f"{stem}{f'-{number + 1}' if number else ''}{SUFFIX}"


def versions_section() -> dict[str, str]:
    """Python and the packages that the numbers may depend on."""
    versions = {"python": platform.python_version()}
    for package in _REPORTED:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
