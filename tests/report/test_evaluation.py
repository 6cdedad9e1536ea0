"""An evaluation as lines, a confusion table, CSV and a page."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.metrics.class_report import scorecard
from headstart.model.evaluation import Evaluation, ScoredImages
from headstart.records.predictions import Decisions, Predictions
from headstart.report.evaluation import (
    answer_lines,
    confusion_pairs,
    confusion_table,
    evaluation_csv,
    evaluation_html,
)
from headstart.report.write import write_report

CLASSES = ("blight", "rust")


@pytest.fixture
def result(tmp_path: Path) -> Evaluation:
    """Four images, of which the third and fourth are taken for the other class."""
    files = tuple(tmp_path / f"{k}.png" for k in range(4))
    for k, file in enumerate(files):
        Image.new("RGB", (8, 8), (60 * k, 90, 0)).save(file)
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.01, 0.99]], np.float32)
    names = ("a.png", "b.png", "c.png", "<d>.png")
    predictions = Predictions(names, CLASSES, probabilities)
    decisions = Decisions(
        predictions, np.array([True, False, False, True]), ("", "novel", "low confidence", ""), ("so",), True
    )
    card = scorecard(labels, probabilities, CLASSES)
    return Evaluation(4, card, notes=("a note",), scored=ScoredImages(files, labels, predictions, decisions))


def test_the_worst_mistakes_are_named_surest_first(result: Evaluation) -> None:
    lines = dict(line for line in answer_lines(result) if line[0])
    assert lines["worst"] == "<d>.png: blight taken for rust, 99.0 % sure"
    assert lines["confuses"] == "blight taken for rust: 1 of 2; rust taken for blight: 1 of 2"
    assert lines["automatic"] == "2 of 4 images accepted without a person, 1 of them wrong; the others are for review"
    assert lines["result"].startswith("far too few images to judge by: 50.0 % right of 4 images (95 % interval ")


def test_the_confusion_table_has_a_true_class_a_row(result: Evaluation) -> None:
    assert confusion_table(result) == (
        ("true class", "1", "2", "right"),
        [("1 blight", "1", "1", "50.0 %"), ("2 rust", "1", "1", "50.0 %")],
    )
    assert confusion_pairs(result)[1] == [("blight", "rust", "1", "2"), ("rust", "blight", "1", "2")]


def test_the_csv_has_a_row_an_image(result: Evaluation) -> None:
    rows = list(csv.reader(evaluation_csv(result).splitlines()))
    assert rows[0] == ["image", "truth", "prediction", "confidence", "right", "decision", "reason", "novelty"]
    assert rows[1] == ["a.png", "blight", "blight", "0.900000", "yes", "accept", "", ""]
    assert rows[3] == ["c.png", "rust", "blight", "0.700000", "no", "review", "low confidence", ""]
    assert len(rows) == 5


def test_the_page_shows_the_mistakes_and_escapes_names(result: Evaluation, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    write_report(result, place, data="photos")
    page = place.read_text()
    assert "50.0 % of the predictions are right" in page
    assert "4 labelled images in photos" in page
    assert page.count("<img src=") == 2
    assert "&lt;d&gt;.png" in page
    assert "<d>.png" not in page
    assert page.index("blight taken for rust, 99.0 % sure") < page.index("rust taken for blight, 70.0 % sure")
    assert evaluation_html(result, shown=1).count("<img src=") == 1


def test_an_evaluation_without_single_images_has_no_table(result: Evaluation) -> None:
    with pytest.raises(OptionError, match="this evaluation holds no single images"):
        evaluation_csv(Evaluation(4, result.card))
