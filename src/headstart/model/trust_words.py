"""What a manifest says of trust, in the lines of a summary: calibration, novelty, and the guarantee with its classes.

Words only, from `scores.calibration` and `trust` of a manifest; an older one has neither and gets no lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headstart.checks import quantity
from headstart.trust.triage.records import GUARANTEED, NONE_ACCEPTED, NOT_SHOWN, VIOLATED

_SHOWN_CLASSES = 12
_FAR = 10
"""More than so many times the images at hand are not foretold."""


def trust_lines(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines, each with its name."""
    trust, quality = manifest.get("trust"), manifest["scores"].get("calibration")
    lines = [] if quality is None else [("calibrated", _calibration(manifest["head"]["calibration"], quality))]
    if trust is None:
        return lines
    if trust["novelty"] is not None:
        lines.append(("novelty", _novelty(trust["novelty"])))
    if trust["guarantee"] is not None:
        lines += _guarantee(trust["guarantee"])
    return lines


def guarantee_answer(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many images need no person, in a line; none where no guarantee was asked for."""
    guarantee = (manifest.get("trust") or {}).get("guarantee")
    if guarantee is None:
        return []
    limit = f"at most {100 * guarantee['max_error']:.4g} % of them wrong"
    scope = " in every class" if guarantee["scope"] == "class" else ""
    sure = f"{100 * guarantee['confidence_level']:.4g} % confidence"
    if not any(row["accepted"] for row in guarantee["classes"]):
        return [("automatic", f"no image can go without a person yet, with {limit}{scope} ({sure}){_more(guarantee)}")]
    share = guarantee["coverage"]["value"]
    return [
        (
            "automatic",
            f"{100 * share:.1f} % of such images need no person, with {limit}{scope} ({sure}); the others are for "
            f"review{_violated(guarantee['classes'])}",
        )
    ]


def _more(guarantee: Mapping[str, Any]) -> str:
    """How many more images may carry the guarantee, where that is said."""
    more, rows = guarantee["overall"]["more"], guarantee["overall"]["rows"]
    if guarantee["scope"] == "class" or more is None or more > _FAR * max(rows, 1):
        return ""
    return f"; about {quantity(more, 'more labelled image')} may do"


def _violated(classes: Sequence[Mapping[str, Any]]) -> str:
    """The classes for which it does not hold alone."""
    rows = [
        f"{row['name']} ({row['wrong']:,} of {row['accepted']:,} wrong)" for row in classes if row["status"] == VIOLATED
    ]
    return f". It does not hold for {', '.join(rows[:_SHOWN_CLASSES])} alone: --per-class" if rows else ""


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
    ranking = f"; a left-out class is ranked above the others with AUROC {max(auroc.values()):.2f}" if auroc else ""
    span = f"{100 * alarms['low']:.1f} to {100 * alarms['high']:.1f} %"
    return f"{span} of known images are flagged as novel by mistake{ranking}"


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
