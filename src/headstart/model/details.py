"""A model's manifest in detail: the choice, its scores, calibration, novelty and doubts, and the contest as a table.

Words only, from a manifest. The answer for everybody is in `model.summary`; these lines are for who wants to know more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headstart.backbones.packaged import SHORT
from headstart.checks import printable, quantity
from headstart.metrics.intervals import Estimate
from headstart.model.trust_words import trust_lines

_WORST = 3
_SHOWN_CLASSES = 12
_PARTLY = " *"
"""Behind a score that is of other rows than the others."""
_ORDER = {"chosen": 0, "given up": 2}


def detail_lines(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines, each with its name: data, choice, scores, the weakest classes, what to trust, what to doubt."""
    scores, head = manifest["scores"], manifest["head"]
    return [
        ("data", data_words(manifest["data"])),
        ("chosen", f"{head['candidate']} on {head['features']}{_configuration(head['configuration'])}"),
        *_ties(manifest["candidates"]),
        ("expected", _expected(scores)),
        ("", _compared(scores)),
        *_held_out(scores),
        ("balance", _balance(scores["out_of_fold"])),
        ("classes", _classes(scores["out_of_fold"]["per_class"])),
        *trust_lines(manifest),
        *suspect_lines(manifest),
    ]


def _ties(candidates: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Why the chosen one need not have the highest score."""
    tied = sum(entry["status"] == "tie" for entry in candidates)
    if not tied:
        return []
    others = "1 other is" if tied == 1 else f"{tied} others are"
    return [("", f"{others} tied with it (no clear difference): log-loss and experience with other data decided")]


def data_words(data: Mapping[str, Any]) -> str:
    """What was measured on: `DataFacts` as a mapping, in a line."""
    classes = [f"{name} {count:,}" for name, count in data["counts"].items()]
    shown = ", ".join(classes[:_SHOWN_CLASSES])
    more = f" and {len(classes) - _SHOWN_CLASSES} more" if len(classes) > _SHOWN_CLASSES else ""
    apart = f"; {data['held_out']:,} more kept apart" if data["held_out"] else ""
    folds = f"{data['folds']} folds" + (f", {data['repeats']} times" if data["repeats"] > 1 else "")
    return f"{quantity(data['images'], 'image')} of {len(classes)} classes ({shown}{more}); {folds}{apart}"


def _configuration(configuration: Mapping[str, Any]) -> str:
    named = ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in configuration.items()
    )
    return f" ({named})" if named else ""


def _expected(scores: Mapping[str, Any]) -> str:
    estimate = Estimate(**scores["estimate"])
    return f"{estimate} {estimate.metric.replace('-', ' ')} on new images like these (95 % interval)"


def _compared(scores: Mapping[str, Any]) -> str:
    raw, majority = scores["uncorrected"], scores["majority"]
    several = f"{100 * raw:.1f} % before correcting for the choice among {scores['configurations']} settings"
    return (
        f"{several if scores['configurations'] > 1 else 'one setting alone was measured'}; "
        f"always saying {majority['class']!r}: {100 * majority['score']:.1f} %"
    )


def _balance(card: Mapping[str, Any]) -> str:
    balanced, f1 = (Estimate(**card[name]) for name in ("balanced_accuracy", "macro_f1"))
    return f"balanced accuracy {balanced}, macro-F1 {f1} (out of fold, not corrected for the choice)"


def _held_out(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    held = scores["held_out"]
    if held is None:
        return []
    accuracy = Estimate(**held["accuracy"])
    return [
        (
            "held out",
            f"{accuracy} accuracy on {quantity(held['images'], 'image')} that took no part "
            f"(balanced {100 * held['balanced_accuracy']['value']:.1f} %, "
            f"macro-F1 {100 * held['macro_f1']['value']:.1f} %)",
        )
    ]


def _classes(per_class: Sequence[Mapping[str, Any]]) -> str:
    weakest = sorted(per_class, key=lambda row: row["recall"])[:_WORST]
    named = [
        f"{row['name']} {100 * row['recall']:.0f} % ({100 * row['recall_low']:.0f}–{100 * row['recall_high']:.0f})"
        for row in weakest
    ]
    return f"least often found: {', '.join(named)}"


def candidate_rows(manifest: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The comparison as a table: headers and one row a candidate, best first; those left out at the end."""
    headers = ("head", "looks at", "score", "95 %", "against chosen", "seconds", "")
    ran = [entry for entry in manifest["candidates"] if entry["status"] != "left out"]
    ran.sort(key=lambda entry: (_ORDER.get(entry["status"], 1), -entry["score"]["value"]))
    rows = [_ran(entry) for entry in ran]
    left = [entry for entry in manifest["candidates"] if entry["status"] == "left out"]
    rows += [(e["name"], short_features(e["features"]), "", "", "", "", e["status"]) for e in left]
    return headers, rows


def reasons(manifest: Mapping[str, Any]) -> list[str]:
    """Why candidates were given up or left out, a line each."""
    explained = [entry for entry in manifest["candidates"] if entry.get("reason")]
    lines = [
        printable(f"{e['status']}: {e['name']} on {short_features(e['features'])}: {e['reason']}") for e in explained
    ]
    if any(entry["status"] == "given up" for entry in manifest["candidates"]):
        lines.insert(0, f"{_PARTLY.strip()} scored on a part of the folds: compare its gain, not its score")
    return lines


def _ran(entry: Mapping[str, Any]) -> tuple[str, ...]:
    score, gain = entry["score"], entry["gain"]
    against = "" if gain is None else gain_words(gain)
    return (
        entry["name"],
        short_features(entry["features"]),
        f"{100 * score['value']:.1f} %{_PARTLY if entry['status'] == 'given up' else ''}",
        f"{100 * score['low']:.1f}–{100 * score['high']:.1f}",
        against,
        f"{entry['seconds']:.1f}",
        entry["status"],
    )


def short_features(features: str) -> str:
    """The packaged backbones by their short names, and layers that several share once, so that a line fits a terminal.

    >>> short_features("efficientnet_lite0, 5 layers + efficientnet_lite2, 5 layers")
    'lite0 + lite2, 5 layers'
    """
    for short, name in SHORT.items():
        features = features.replace(name, short)
    parts = [part.partition(", ") for part in features.split(" + ")]
    if len(parts) > 1 and len({layers for *_, layers in parts}) == 1 and parts[0][2]:
        return f"{' + '.join(name for name, *_ in parts)}, {parts[0][2]}"
    return features


def gain_words(gain: Mapping[str, Any]) -> str:
    """A paired difference with its interval, in percentage points.

    >>> gain_words({"value": -0.012, "low": -0.031, "high": 0.007})
    '-1.2 (-3.1 to +0.7)'
    """
    value, low, high = (f"{100 * gain[name]:+.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def suspect_lines(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a manifest says of doubts, in the lines of a summary; none for an older one, or where there are none."""
    suspects = manifest.get("suspects") or {}
    if not suspects:
        return []
    lines = [_suspects_of_kind(kind, entry) for kind, entry in suspects.items()]
    how = "nothing was left out for it; 'headstart audit DATA --html audit.html' looks for such images and shows them"
    return [("look at", lines[0]), *(("", line) for line in lines[1:]), ("", how)]


def _suspects_of_kind(kind: str, entry: Mapping[str, Any]) -> str:
    first = entry["examples"][0]
    return f"{quantity(entry['count'], kind)}, such as {first['image']}: {first['sentence']}"
