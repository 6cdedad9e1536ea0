"""The answer of a detector or segmenter, first and in plain words; made from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headstart.checks import quantity
from headstart.metrics.boxes.average_precision import FEWEST
from headstart.metrics.intervals import Estimate

Line = tuple[str, str]
_WORDS = {
    "mAP50": "mAP50 (boxes that overlap by half or more)",
    "mAP50-95": "mAP50-95 (the same with ever stricter overlap)",
    "mIoU": "mean IoU (overlap of called and true pixels, a mean over classes)",
    "Dice": "Dice (the same as F1 of pixels)",
}
_FIGURE = {"boxes": "mAP50", "masks": "IoU"}


def answer_lines(manifest: Mapping[str, Any], *, model: str, data: str = "DATA") -> list[Line]:
    """Lines, each with its name: the result, the classes, what is seen at the threshold, what next, where it lies."""
    scores = manifest["scores"]
    held = scores["held_out"]
    shown = held or scores["out_of_fold"]
    facts = manifest["data"]
    where = (
        f"on {quantity(facts['held_out'], 'image')} kept apart"
        if held
        else f"each of {quantity(facts['images'], 'image')} answered by heads that had not seen it"
    )
    estimates = [Estimate(**values) for values in shown["estimates"]]
    lines = [("result", f"{_estimate(estimates[0])}, {where}"), ("", _estimate(estimates[1]))]
    lines.append(("classes", class_words(shown["per_class"], manifest["task"])))
    if scores["operating"]:
        seen, right = scores["operating"]
        lines.append(
            (
                "shown",
                f"from a score of {manifest['threshold']:.2f} on, {100 * seen:.0f} % of the objects are seen and "
                f"{100 * right:.0f} % of what is shown is right (out of fold)",
            )
        )
    lines.append(("next", f"headstart predict {model} new-photos/ -o seen/"))
    learnt = f"{quantity(facts['images'], 'image')}, {sum(facts['counts'].values()):,} {facts['unit']}"
    if facts["unit"] == "images":
        learnt = quantity(facts["images"], "image")
    head = {"network": "a small network", "ridge": "ridge regression"}[manifest["head"]["kind"]]
    lines.append(("saved", f"{model}: {head} on frozen {manifest['backbones'][0]['name']}, from {learnt}"))
    return lines


def _estimate(estimate: Estimate) -> str:
    interval = f"95 % interval {100 * estimate.low:.1f}–{100 * estimate.high:.1f}"
    return f"{100 * estimate.value:.1f} % {_WORDS[estimate.metric]}, {interval}"


def class_words(per_class: Any, task: str, most: int = 12) -> str:
    """Each class with its figure and its number of objects; no figure below 20 of them."""
    key = _FIGURE[task]
    unit = "objects" if task == "boxes" else "images"
    words = []
    for row in per_class[:most]:
        count = f"{row['count']:,}"
        usable = row[key] is not None and row["count"] >= FEWEST
        words.append(f"{row['name']} {100 * row[key]:.0f} % ({count})" if usable else f"{row['name']} – ({count})")
    more = f" and {len(per_class) - most} more" if len(per_class) > most else ""
    return f"{', '.join(words)}{more} ({key}; in brackets the {unit})"


def detail_lines(manifest: Mapping[str, Any]) -> list[Line]:
    """How the heads compare, the canvas, and what each step took."""
    scores = manifest["scores"]
    lines = [(entry["head"], f"{_estimate(Estimate(**entry['score']))} (out of fold)") for entry in scores["compared"]]
    if scores["gain"]:
        gain = scores["gain"]
        lines.append(
            (
                "gain",
                f"of the better head {100 * gain['value']:+.1f} points, 95 % interval {100 * gain['low']:+.1f} to "
                f"{100 * gain['high']:+.1f} (paired, {manifest['data']['folds']} folds by image)",
            )
        )
    canvas = manifest["canvas"]
    lines.append(("canvas", f"{canvas['width']} x {canvas['height']} pixels"))
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in manifest["seconds"].items())
    return [*lines, ("time", seconds)]
