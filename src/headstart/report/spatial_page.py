"""A page of the images that a detector or segmenter did worst on, with what was right, false and missed drawn in."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from headstart.checks import quantity
from headstart.data.images.decode import read_image
from headstart.errors import UnreadableImage
from headstart.metrics.boxes.average_precision import FEWEST
from headstart.metrics.boxes.marks import mark
from headstart.report.drawing import draw_mask
from headstart.report.numbers import percent
from headstart.report.page import render
from headstart.verbs.spatial.evaluate import renumber

if TYPE_CHECKING:
    from headstart.model.spatial.predictor import SpatialPredictor
    from headstart.records.boxes import Boxes, Detections
    from headstart.verbs.spatial.evaluate import SpatialEvaluation

SHOWN = 24
SIDE = 460
"""The longer side of an image on the page, in pixels."""
# Told apart by line and by Okabe and Ito's colours, so that neither alone must be seen.
STYLES = {"right": ((0, 114, 178), 0, 0), "false": ((230, 120, 0), 3, 4), "missed": ((204, 40, 140), 11, 6)}
"""Colour, and the lengths of a dash and a gap; no gap is a whole line."""
_LEGENDS = {
    "right": "seen, and labelled",
    "false": "seen, and not labelled as that (with its score)",
    "missed": "labelled, and not seen",
}
_WIDTH = 3


def page_html(result: SpatialEvaluation, predictor: SpatialPredictor, *, data: str = "", shown: int = SHOWN) -> str:
    """The page's text. data: what the images came from. shown: the most images."""
    first, second = result.scores.estimates
    rows = result.worst[:shown]
    boxes = predictor.task.name == "boxes"
    target: Any = renumber(result.samples.target, predictor.classes)
    pictures = (
        _box_pictures(result, target, predictor, rows) if boxes else _mask_pictures(result, target, predictor, rows)
    )
    figures = [key for key in result.scores.per_class[0] if key not in ("name", "count")]
    return render(
        "spatial.html",
        {
            "heading": f"{quantity(len(result.samples), 'labelled image')}{f' in {data}' if data else ''}",
            "headline": f"{first.metric} {percent(first.value)}",
            "verdict": "good" if first.low >= 0.8 else "look" if first.low >= 0.4 else "bad",
            "lines": _lines(result, predictor),
            "facts": [
                (first.metric, percent(first.value), f"({100 * first.low:.1f}–{100 * first.high:.1f})"),
                (second.metric, percent(second.value), f"({100 * second.low:.1f}–{100 * second.high:.1f})"),
            ],
            "unit": "objects" if boxes else "images",
            "figures": figures,
            "rows": [
                (row["name"], row["count"], [_figure(row[key], row["count"]) for key in figures])
                for row in result.scores.per_class
            ],
            "legend": [(_sample_line(name), words) for name, words in _LEGENDS.items()] if boxes else [],
            "explanation": (
                "In the order of the share that is wrong of all that is labelled or seen."
                if boxes
                else "In the order of the share of pixels that are wrong: left as labelled, right as seen."
            ),
            "pictures": list(pictures),
            "more": len(result.worst) - len(rows),
            "notes": result.notes,
        },
    )


def _lines(result: SpatialEvaluation, predictor: SpatialPredictor) -> list[str]:
    if predictor.task.name != "boxes":
        return []
    words = f"{percent(result.missed)} of the objects are missed from a score of {predictor.threshold:.2f} on"
    return [f"{words}, a mean over images; boxes below it are not drawn."]


def _figure(value: float, count: int) -> str:
    """No figure where there are too few."""
    return "–" if value != value or count < FEWEST else percent(value)


def _box_pictures(
    result: SpatialEvaluation, target: Boxes, predictor: SpatialPredictor, rows: Sequence[int]
) -> Iterator[tuple[Any, str, str]]:
    for row in rows:
        seen = result.answers[row].above(predictor.threshold)
        marks = mark(target, row, seen)
        words = f"{marks.right.sum()} right, {marks.false.sum()} false, {marks.missed.sum()} missed"
        item = result.samples.items[row]
        picture: Any = item  # of one that has gone the page says why
        with contextlib.suppress(UnreadableImage):
            picture = draw_marks(read_image(item), target, row, seen, predictor.classes)
        yield picture, result.samples.names[row], words


def draw_marks(image: Image.Image, target: Boxes, row: int, seen: Detections, classes: Sequence[str]) -> Image.Image:
    """The image at the page's size with what was right, false and missed; the faults on top."""
    marks = mark(target, row, seen)
    scale = SIDE / max(image.size)
    drawn = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
    pen = ImageDraw.Draw(drawn)
    part = target.of(row)
    for kind, corners, texts in (
        ("right", seen.corners[marks.right], [""] * int(marks.right.sum())),
        ("false", seen.corners[marks.false], _words(seen, marks.false, classes)),
        ("missed", target.corners[part][marks.missed], [classes[k] for k in target.labels[part][marks.missed]]),
    ):
        for box, text in zip((corners * scale).tolist(), texts, strict=True):
            _rectangle(pen, box, kind)
            _caption(pen, text, box, kind)
    return drawn


def _words(seen: Detections, chosen: Any, classes: Sequence[str]) -> list[str]:
    return [f"{classes[k]} {score:.2f}" for k, score in zip(seen.labels[chosen], seen.scores[chosen], strict=True)]


def _rectangle(pen: ImageDraw.ImageDraw, box: Sequence[float], kind: str) -> None:
    left, top, right, bottom = box
    ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    for start, end in itertools.pairwise(ring):
        _line(pen, start, end, kind)


def _line(pen: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
    """A line in a kind's style. start, end: in pixels."""
    colour, dash, gap = STYLES[kind]
    first, last = np.array(start), np.array(end)
    length = float(np.linalg.norm(last - first))
    step = dash + gap if gap else max(length, 1.0)
    for offset in np.arange(0.0, max(length, 1.0), step).tolist():
        stop = min(offset + (dash if gap else length), length)
        ends = [tuple(first + (last - first) * way / max(length, 1e-9)) for way in (offset, stop)]
        pen.line([*ends[0], *ends[1]], fill=colour, width=_WIDTH)


def _caption(pen: ImageDraw.ImageDraw, text: str, box: Sequence[float], kind: str) -> None:
    """Words below what was missed and above what is false, so that both may stand at one place."""
    if text:
        font = ImageFont.load_default(11)
        high = min(box[3] + 3, pen.im.size[1] - 14) if kind == "missed" else box[1] - 16
        place = (max(min(box[0], pen.im.size[0] - font.getlength(text) - 2), 0), max(high, 0))
        pen.rectangle(pen.textbbox(place, text, font=font), fill=(255, 255, 255))
        pen.text(place, text, fill=STYLES[kind][0], font=font)


def _sample_line(kind: str) -> Image.Image:
    """A box in a kind's style for the legend."""
    picture = Image.new("RGB", (60, 60), (255, 255, 255))
    _rectangle(ImageDraw.Draw(picture), (6, 12, 52, 46), kind)
    return picture


def _mask_pictures(
    result: SpatialEvaluation, target: Any, predictor: SpatialPredictor, rows: Sequence[int]
) -> Iterator[tuple[Any, str, str]]:
    items = [result.samples.items[row] for row in rows]
    for row, item, answer in zip(rows, items, predictor.stream(items), strict=True):
        table = result.answers[row].table
        wrong = 1 - np.trace(table) / max(int(table.sum()), 1)
        if isinstance(answer, UnreadableImage):
            yield item, result.samples.names[row], str(answer)
            continue
        labelled = draw_mask(item, target.maps[row].read(), predictor.classes)
        seen = draw_mask(item, answer[1].labels, predictor.classes)
        yield _side_by_side(labelled, seen), result.samples.names[row], f"{percent(wrong)} of the pixels wrong"


def _side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (left.width + right.width + 8, max(left.height, right.height)), (255, 255, 255))
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 8, 0))
    return both
