"""What a manifest says of trust, in the lines of a summary: calibration, novelty, and the guarantee with its classes.

Words only, from `scores.calibration` and `trust` of a manifest; an older one has neither and gets no lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headstart.trust.triage.records import GUARANTEED, NONE_ACCEPTED, NOT_SHOWN, VIOLATED

_SHOWN_CLASSES = 12


def trust_lines(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines, each with its name."""
    found, quality = manifest.get("trust"), manifest["scores"].get("calibration")
    lines = [] if quality is None else [("calibrated", _calibration(manifest["head"]["calibration"], quality))]
    if found is None:
        return lines
    if found["novelty"] is not None:
        lines.append(("novelty", _novelty(found["novelty"])))
    if found["guarantee"] is not None:
        lines += _guarantee(found["guarantee"])
    return lines


def _calibration(calibration: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """Errors of the probabilities, before → after."""
    before, after = quality["before"], quality["after"]

    def change(name: str) -> str:
        return f"{100 * before[name]:.1f} → {100 * after[name]:.1f} %"

    how = calibration["method"]
    how += f" {calibration['temperature']:.3g}" if how == "temperature" else ""
    humbler = "; higher, because few errors seen are no proof of none" if after["log_loss"] > before["log_loss"] else ""
    return (
        f"by {how}: calibration error {change('calibration_error')} (debiased {change('debiased_calibration_error')}), "
        f"Brier {before['brier']:.3f} → {after['brier']:.3f}, log-loss {before['log_loss']:.3f} → "
        f"{after['log_loss']:.3f}{humbler}"
    )


def _novelty(novelty: Mapping[str, Any]) -> str:
    alarms, auroc = novelty["false_alarms"], novelty["auroc"]
    found = f"; a left-out class is ranked above the others with AUROC {max(auroc.values()):.2f}" if auroc else ""
    return f"about {100 * alarms['expected']:.0f} % of known images are flagged as novel by mistake{found}"


def _guarantee(guarantee: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The sentence, a line for each class where anything is accepted, and what it rests on."""
    first, *others = (str(sentence) for sentence in guarantee["sentences"])
    accepts_some = any(row["accepted"] for row in guarantee["classes"])
    classes = [("", line) for line in _classes(guarantee["classes"])] if accepts_some else []
    return [("guarantee", first), *classes, *(("", sentence) for sentence in others[-1:])]


def _classes(classes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether the guarantee holds for each predicted class, the violated ones first."""
    order = (VIOLATED, NOT_SHOWN, NONE_ACCEPTED, GUARANTEED)
    shown = sorted(classes, key=lambda row: order.index(row["status"]))[:_SHOWN_CLASSES]
    width = max(len(row["name"]) for row in shown)
    lines = [
        f"{row['name']:<{width}}  {row['status']}: {row['accepted']:,} accepted, {row['wrong']:,} of them wrong"
        for row in shown
    ]
    more = len(classes) - len(shown)
    return [*lines, f"and {more:,} more classes"] if more else lines
