"""A training run's scores and comparison as JSON-like values: the part of the manifest that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headstart.model.evaluation import card_values

if TYPE_CHECKING:
    from headstart.choose.race import CandidateResult, RaceResult
    from headstart.model.evaluation import Evaluation
    from headstart.trust.calibration.choose import CalibrationChoice

LEFT_OUT = "left out"


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


def candidates_section(race: RaceResult, left_out: Sequence[Any]) -> list[dict[str, Any]]:
    """A line for each candidate, those that were left out at the end. left_out: dataclasses with name and reason."""
    ran = [_ran(entry, place == race.winner) for place, entry in enumerate(race.entries)]
    return ran + [{**asdict(candidate), "status": LEFT_OUT} for candidate in left_out]


def plain_values(setting: Any) -> dict[str, Any]:
    """A head's setting as JSON-able values."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in dict(setting).items()}


def _ran(entry: CandidateResult, chosen: bool) -> dict[str, Any]:
    return {
        "name": entry.name,
        "features": entry.features,
        "setting": plain_values(entry.setting),
        "status": entry.status,
        "score": asdict(entry.score),
        "log_loss": entry.log_loss,
        "gain": None if chosen else asdict(entry.gain),
        "cost": entry.cost,
        "seconds": round(entry.seconds, 3),
        "reason": entry.reason,
    }
