"""What a manifest says of an adaptation, in the lines of an answer: what to expect on the target, and what is void."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from headstart.checks import quantity

Line = tuple[str, str]


def adaptation_answer(manifest: Mapping[str, Any], model: str) -> list[Line]:
    """The lines, each with its name. model: as commands name it."""
    facts, origin = manifest["adaptation"], manifest["adapted_from"]
    guaranteed = manifest.get("trust") is not None
    void = "" if guaranteed else "no guarantee holds there until labels say otherwise (headstart adapt --target-labels)"
    return [
        ("result", accuracy_words(facts)),
        ("adapted", f"from {origin['name']}, to {quantity(facts['images'], 'image')} of another domain"),
        *([("trust", void)] if void else []),
        ("next", f"headstart predict {shlex.quote(model)} IMAGES…"),
        ("saved", f"{model}: {manifest['head']['candidate']} on {manifest['head']['features']}"),
    ]


def accuracy_words(facts: Mapping[str, Any]) -> str:
    """What accuracy to expect on the target, before and after, measured where there are labels."""
    if facts["measured"] is not None:
        before, after = (_percent(estimate) for estimate in facts["measured"])
        images = quantity(facts["labelled"], "labelled target image")
        return f"{after} right on the target, {before} before (measured on {images}, each left out of its fit)"
    before, after = facts["expected_before"], facts["expected_after"]
    if after is None:
        return f"about {_band(before)} right on the target (a forecast without labels)"
    return f"about {_band(after)} right on the target, about {_band(before)} before (forecasts without labels)"


def _percent(estimate: Mapping[str, Any]) -> str:
    return f"{100 * estimate['value']:.0f} % ({100 * estimate['low']:.0f}–{100 * estimate['high']:.0f})"


def _band(estimate: Mapping[str, Any]) -> str:
    half = max(estimate["value"] - estimate["low"], estimate["high"] - estimate["value"])
    return f"{100 * estimate['value']:.0f} % ± {100 * half:.0f}"
