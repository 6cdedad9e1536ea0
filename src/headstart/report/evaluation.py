"""An evaluation in words, as a confusion table, as CSV and as a page.

Takes an `Evaluation`; measures nothing and writes no file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from headstart.checks import at_least, quantity
from headstart.data.modality import TEXTS
from headstart.errors import OptionError
from headstart.model.evaluation import Evaluation, ScoredImages
from headstart.model.summary import confusion_words, confusions, too_few
from headstart.nouns import IMAGE
from headstart.records.samples import ImageSource
from headstart.report.numbers import percent
from headstart.report.page import render
from headstart.trust.triage.decide import UNREADABLE

SHOWN = 24
"""Mistakes on a page, unless the caller says otherwise."""
_WORST = 3
_ON_PAGE = ("result", "confuses", "automatic")
_WIDEST_PAGE = 40
"""Classes up to which a page holds the whole table."""


def answer_lines(result: Evaluation) -> list[tuple[str, str]]:
    """Lines, each with its name: the result, the confusions, what needs no person, the worst mistakes."""
    lines = [("result", _result(result)), ("confuses", confusion_words(_card(result)))]
    scored = result.scored
    if scored is not None:
        lines += _automatic(scored)
        lines += _worst(scored)
    return lines


def _card(result: Evaluation) -> dict[str, list[object]]:
    card = result.card
    return {"per_class": [asdict(row) for row in card.per_class], "confusion": card.confusion.tolist()}


def _result(result: Evaluation) -> str:
    accuracy, images = result.card.accuracy, quantity(result.images, "image")
    common = max(result.card.per_class, key=lambda row: row.count)
    interval = f"95 % interval {100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}"
    always = f"always saying {common.name!r}: {percent(common.count / max(result.images, 1))}"
    counts = {row.name: row.count for row in result.card.per_class if row.count}
    few, needed = too_few(accuracy, {"images": result.images, "counts": counts})
    right = f"{percent(accuracy.value)} right of {images} ({interval}); {always}"
    if few:
        return f"far too few images to judge by: {right}. About {needed:,} images would tell it to 5 points"
    return f"{right}. About {needed:,} images would tell it to 5 points" if needed else right


def _automatic(scored: ScoredImages) -> list[tuple[str, str]]:
    decisions = scored.decisions
    if decisions is None:
        return []
    if not decisions.feasible:
        return [
            ("automatic", "no image can go without a person: the guarantee cannot be given ('headstart info' says why)")
        ]
    accepted = decisions.accepted
    wrong = int((scored.predictions.probabilities.argmax(axis=1) != scored.labels)[accepted].sum())
    of_all = f"{int(accepted.sum()):,} of {quantity(len(accepted), 'image')} accepted without a person"
    return [("automatic", f"{of_all}, {wrong:,} of them wrong; the others are for review")]


def _worst(scored: ScoredImages) -> list[tuple[str, str]]:
    rows = scored.worst()
    lines = [
        ("worst" if k == 0 else "", f"{name}: {words}")
        for k, (_, name, words) in enumerate(_mistakes(scored, rows[:_WORST]))
    ]
    return [*lines, ("", f"and {quantity(len(rows) - _WORST, 'more mistake')}")] if len(rows) > _WORST else lines


def _mistakes(scored: ScoredImages, rows: Sequence[int]) -> list[tuple[ImageSource, str, str]]:
    predictions, truth = scored.predictions, scored.truth
    labels, confidences = predictions.labels, predictions.confidences
    return [
        (
            scored.images[row],
            predictions.names[row],
            f"{truth[row]} taken for {labels[row]}, {percent(float(confidences[row]))} sure",
        )
        for row in rows
    ]


def confusion_table(result: Evaluation) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headers and rows: of each true class (a row) how often it was predicted as each (numbered columns)."""
    card = result.card
    numbers = [str(k + 1) for k in range(len(card.per_class))]
    headers = ("true class", *numbers, "right")
    rows = [
        (f"{number} {row.name}", *(_cell(value) for value in counts), percent(row.recall) if row.count else "–")
        for number, row, counts in zip(numbers, card.per_class, card.confusion.tolist(), strict=True)
    ]
    return headers, rows


def confusion_pairs(result: Evaluation, most: int = 15) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headers and rows: the confusions, most first, for more classes than a table has room for."""
    rows = result.card.per_class
    pairs = confusions(result.card.confusion.tolist())[:most]
    return ("true class", "taken for", "images", "of"), [
        (rows[true].name, rows[predicted].name, f"{count:.0f}", f"{rows[true].count:,}")
        for true, predicted, count in pairs
    ]


def _cell(value: float) -> str:
    return "." if value < 0.5 else f"{value:.0f}"


def evaluation_csv(result: Evaluation) -> str:
    """A header and a line an image: image, truth, prediction, confidence, right, decision, reason; then novelty.

    The decision is empty where the model was trained without a guarantee; of an image that could not be read only its
    name, truth and reason are given. Raises `OptionError` for an evaluation that
    holds no images.
    """
    scored = _scored(result)
    predictions, decisions = scored.predictions, scored.decisions
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "truth", "prediction", "confidence", "right", "decision", "reason", "novelty"])
    words = decisions.words if decisions else ("",) * len(predictions)
    reasons = decisions.reasons if decisions else ("",) * len(predictions)
    rows = zip(predictions.rows, scored.truth, words, reasons, strict=True)
    for image, truth, word, reason in rows:
        if image.label is None:
            writer.writerow([image.name, truth, "", "", "", word, f"{UNREADABLE}: {image.reason}", ""])
            continue
        novelty = "" if image.novelty is None else f"{image.novelty:.6g}"
        right = "yes" if truth == image.label else "no"
        writer.writerow([image.name, truth, image.label, f"{image.confidence:.6f}", right, word, reason, novelty])
    return text.getvalue()


def _scored(result: Evaluation) -> ScoredImages:
    if result.scored is None:
        raise OptionError("this evaluation holds no single images: take what headstart evaluate returns.")
    return result.scored


def evaluation_html(result: Evaluation, *, data: str = "", shown: int = SHOWN, show_texts: bool = False) -> str:
    """The page's text. data: what the images came from. shown: the most mistakes. show_texts: whole ones."""
    at_least("shown", shown, 1)
    scored, card = _scored(result), result.card
    worst = scored.worst()
    verdict = "good" if card.accuracy.low >= 0.9 else "look" if card.accuracy.low >= 0.5 else "bad"
    counts = card.confusion.tolist()
    return render(
        "evaluation.html",
        {
            "heading": f"{quantity(result.images, 'labelled image')}{f' in {data}' if data else ''}",
            "headline": f"{percent(card.accuracy.value)} of the predictions are right",
            "verdict": verdict,
            "lines": [f"{name.capitalize()}: {text}." for name, text in answer_lines(result) if name in _ON_PAGE],
            "facts": [
                (
                    "right",
                    percent(card.accuracy.value),
                    f"({100 * card.accuracy.low:.1f}–{100 * card.accuracy.high:.1f})",
                ),
                ("mistakes", f"{len(worst):,}", f"of {result.images:,}"),
                ("mean over the classes", percent(card.balanced_accuracy.value), "balanced accuracy"),
            ],
            "names": [row.name for row in card.per_class] if len(counts) <= _WIDEST_PAGE else [],
            "table": [
                (row, [(value, value / max(row.count, 1)) for value in values])
                for row, values in zip(card.per_class, counts, strict=True)
            ],
            "pairs": confusion_pairs(result)[1],
            "mistakes": _mistakes(scored, worst[:shown]),
            "more": max(len(worst) - shown, 0),
            "notes": result.notes,
        },
        noun=TEXTS.noun if isinstance(scored.images[0], str) else IMAGE,
        whole=show_texts,
    )
