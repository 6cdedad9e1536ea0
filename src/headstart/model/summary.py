"""The answer of a training, first and in plain words: how good, what it confuses, what needs no person, what next.

Made from a manifest: the same lines after `headstart train`, in `headstart info` and in notebooks. The contest between
ways, calibration and novelty are in `model.details`.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from headstart.checks import printable, quantity
from headstart.layout import USUAL, named_lines
from headstart.metrics.intervals import Estimate
from headstart.model.adaptation_words import adaptation_answer
from headstart.model.details import detail_lines, short_features
from headstart.model.trust_words import guarantee_answer
from headstart.nouns import IMAGE, reword

Line = tuple[str, str]
_CONFUSIONS = 3
_FEWEST, _FEWEST_OF_CLASS = 30, 5
"""Fewer images than these, in all or of one class, say next to nothing."""
_PRECISE = 0.05
"""An interval of so many points to each side is worth something for a decision."""
_VAGUE = 0.075
"""From so many points to each side on it is said how many images would make the interval narrower."""
_Z = 1.96
_TECHNICAL = re.compile(
    r"AUROC|Brier|log-loss|[Tt]emperature|[Cc]alibrat|\bbf16\b|\bf32\b|[Ee]mbedding|\btaps?\b|BBC|[Nn]ovelty"
)


def summary(
    manifest: Mapping[str, Any],
    *,
    model: str = "MODEL",
    data: str = "DATA",
    details: bool = False,
    width: int | None = USUAL,
) -> str:
    """The answer as text.

    model, data: how the commands name them. details: the details below. width: of the lines; None does not wrap them.
    """
    lines = answer_lines(manifest, model=model, data=data)
    if details:
        lines += [("", ""), *detail_lines(manifest)]
    noun = noun_of(manifest)
    return "\n".join(named_lines([(name, reword(printable(text), noun)) for name, text in lines], width))


def noun_of(manifest: Mapping[str, Any]) -> str:
    """What an item of a model's data is called: an image has no kind in its network's specification."""
    backbones = manifest.get("backbones", ())
    return str(backbones[0]["spec"].get("kind", IMAGE)) if backbones else IMAGE


def answer_lines(manifest: Mapping[str, Any], *, model: str = "MODEL", data: str = "DATA") -> list[Line]:
    """Lines, each with its name: the result, the confusions, what needs no person if asked, what next, where."""
    if "adaptation" in manifest:
        return adaptation_answer(manifest, model)
    scores = manifest["scores"]
    few, _ = too_few(Estimate(**scores["estimate"]), manifest["data"])
    return [
        ("result", _result(scores, manifest["data"])),
        *_test(scores),
        *([] if few else [("confuses", confusion_words(scores["out_of_fold"]))]),
        *guarantee_answer(manifest),
        *_next(manifest, model, data, few=few),
        ("saved", f"{model}: {_choice(manifest)}, from {_amount(manifest['data'])}"),
    ]


def important_notes(notes: Sequence[str]) -> list[str]:
    """The notes that change what a person should believe: those about the images and the measurement, not technique."""
    return [note for note in notes if not _TECHNICAL.search(note)]


def _result(scores: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    estimate = Estimate(**scores["estimate"])
    right = f"{100 * estimate.value:.1f} % {_metric_words(estimate.metric)}"
    interval = f"95 % interval {100 * estimate.low:.1f}–{100 * estimate.high:.1f}"
    majority = scores["majority"]
    always = f"always saying {majority['class']!r}: {100 * majority['score']:.1f} %"
    few, needed = too_few(estimate, data)
    if few:
        per_class = _each(needed, len(data["counts"]))
        return (
            f"far too few images to know how good it is: {right} was measured on {_amount(data)} ({interval}; "
            f"{always}). "
            f"About {needed:,} images ({per_class}) would make the number worth something, give or take 5 points"
        )
    more = f". About {needed:,} images would tell it to 5 points" if needed else ""
    if series := data.get("series", 0):
        seen = f"{quantity(data['images'], 'image')} look like {quantity(series, 'series', 'series')}, one thing each"
        return f"{right} on images of new things ({interval}; {seen}); {always}{more}"
    return f"{right} on new images like these ({interval}); {always}{more}"


def too_few(estimate: Estimate, data: Mapping[str, Any]) -> tuple[bool, int]:
    """Whether the images are too few to say anything, and how many would do; 0 where there are enough."""
    images = data["images"]
    if images < _FEWEST or min(data["counts"].values()) < _FEWEST_OF_CLASS:
        # n = z² p (1 − p) / d²: from a few images p may look like 1, so no more than 0.9 is believed.
        share = min(max(estimate.value, 0.5), 0.9)
        return True, _round_up(max(_Z**2 * share * (1 - share) / _PRECISE**2, 2 * images))
    half = (estimate.high - estimate.low) / 2
    # The width of an interval falls with the root of the number of images.
    return False, _round_up(images * (half / _PRECISE) ** 2) if half > _VAGUE else 0


def _round_up(number: float) -> int:
    """To two digits that are not 0.

    >>> _round_up(138.3), _round_up(12.0)
    (140, 12)
    """
    unit: int = 10 ** max(0, len(str(math.ceil(number))) - 2)
    return int(math.ceil(number / unit) * unit)


def _each(images: int, classes: int) -> str:
    return f"{math.ceil(images / max(classes, 1)):,} of each class"


def _metric_words(metric: str) -> str:
    return {"accuracy": "right", "macro-f1": "macro-F1"}.get(metric, metric.replace("-", " "))


def _test(scores: Mapping[str, Any]) -> list[Line]:
    held = scores["held_out"]
    if held is None:
        return []
    accuracy = Estimate(**held["accuracy"])
    return [("held out", f"{accuracy} right of {quantity(held['images'], 'test image')} that took no part in training")]


def confusion_words(card: Mapping[str, Any]) -> str:
    """The confusions of a scorecard, most first, in words."""
    names = [row["name"] for row in card["per_class"]]
    counts = [row["count"] for row in card["per_class"]]
    pairs = confusions(card["confusion"])
    if not pairs:
        return "nothing: no class was taken for another"
    shown = [f"{names[t]} taken for {names[p]}: {count:.0f} of {counts[t]:,}" for t, p, count in pairs[:_CONFUSIONS]]
    rest = sum(count for *_, count in pairs[_CONFUSIONS:])
    return "; ".join(shown) + (f"; {rest:.0f} others" if rest >= 1.5 else "")


def confusions(matrix: Sequence[Sequence[float]]) -> list[tuple[int, int, float]]:
    """(true class, predicted class, how often) of each confusion seen, most first. matrix: [true][predicted].

    >>> confusions([[9, 1], [4, 6]])
    [(1, 0, 4), (0, 1, 1)]
    """
    pairs = [
        (true, predicted, count)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if true != predicted and count >= 0.5  # a mean over repeats: less than half an image is none
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def _next(manifest: Mapping[str, Any], model: str, data: str, *, few: bool) -> list[Line]:
    """What to do: use it, or gather more; where labels or images are doubtful, look at them."""
    command = f"headstart predict {shlex.quote(model)} IMAGES…"
    lines = [
        (
            "next",
            f"label more images and train again; until then look at every prediction: {command}" if few else command,
        )
    ]
    suspects = manifest.get("suspects") or {}
    if suspects:
        doubts = " and ".join(quantity(entry["count"], kind) for kind, entry in suspects.items())
        first = next(iter(suspects.values()))["examples"][0]["image"]
        place = data if data == "DATA" else shlex.quote(data)
        command = f"headstart audit {place} --html audit.html"
        lines.append(("look at", f"{doubts}, such as {first}: {command}"))
    return lines


def _choice(manifest: Mapping[str, Any]) -> str:
    head = manifest["head"]
    return f"{head['candidate']} on {short_features(head['features'])}"


def _amount(data: Mapping[str, Any]) -> str:
    images, classes = data["images"], len(data["counts"])
    return f"{quantity(images, 'image')} of {quantity(classes, 'class', 'classes')}"
