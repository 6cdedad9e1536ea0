"""A training run's scores and comparison as JSON-like values: the part of the manifest that was measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.tasks.evaluate import card_values

if TYPE_CHECKING:
    from headstart.choose.race import Entry
    from headstart.tasks.result import Trained

LEFT_OUT = "left out"


def scores(trained: Trained) -> dict[str, Any]:
    """What the winner was measured to reach: the corrected estimate first."""
    race, counts = trained.race, list(trained.data.counts.values())
    return {
        "estimate": asdict(race.estimate),
        "uncorrected": race.raw,
        "configurations": race.configurations,
        "majority": {"class": trained.predictor.classes[int(np.argmax(counts))], "score": race.baseline},
        "out_of_fold": card_values(race.card),
        "calibration": {name: found for name, found in trained.calibration.to_dict().items() if name != "calibration"},
        "held_out": None if trained.held_out is None else trained.held_out.to_dict(),
    }


def candidates(trained: Trained) -> list[dict[str, Any]]:
    """A line for each candidate, those that were left out at the end."""
    ran = [_ran(entry, own == trained.race.winner) for own, entry in enumerate(trained.race.entries)]
    left = [{**asdict(each), "status": LEFT_OUT} for each in trained.left_out]
    return ran + left


def plain(setting: Any) -> dict[str, Any]:
    """A head's setting as JSON-able values."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in dict(setting).items()}


def _ran(entry: Entry, chosen: bool) -> dict[str, Any]:
    return {
        "name": entry.name,
        "features": entry.features,
        "setting": plain(entry.setting),
        "status": entry.status,
        "score": asdict(entry.score),
        "log_loss": entry.log_loss,
        "gain": None if chosen else asdict(entry.gain),
        "cost": entry.cost,
        "seconds": round(entry.seconds, 3),
        "reason": entry.reason,
    }
