"""Predictions as records and as CSV say the same, with and without decisions, sets and novelty."""

import csv
import io

import numpy as np

from headstart.records.predictions import Predictions
from headstart.report.predictions import PredictionTable

PREDICTIONS = Predictions(
    ("a,b.png", "c.png"),
    ("cat", "dog"),
    np.array([[0.75, 0.25], [0.125, 0.875]], np.float32),
    novelty=np.array([0.5, 1.25]),
)


def test_a_record_holds_every_probability_and_the_novelty() -> None:
    first, second = PredictionTable(PREDICTIONS).to_records()
    assert first == {
        "image": "a,b.png",
        "class": "cat",
        "confidence": 0.75,
        "probabilities": {"cat": 0.75, "dog": 0.25},
        "novelty": 0.5,
        "novel": False,
    }
    assert second["novel"] is True


def test_sets_are_class_names_and_may_be_empty() -> None:
    table = PredictionTable(PREDICTIONS, in_set=np.array([[True, True], [False, False]]))
    assert [record["set"] for record in table.to_records()] == [["cat", "dog"], []]
    assert table.further_columns(", ") == {"set": ["cat, dog", ""]}


def test_csv_has_a_line_an_image_and_quotes_names() -> None:
    table = PredictionTable(PREDICTIONS, in_set=np.array([[True, True], [False, True]]))
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [
        ["image", "class", "confidence", "novelty", "set", "cat", "dog"],
        ["a,b.png", "cat", "0.750000", "0.5", "cat|dog", "0.750000", "0.250000"],
        ["c.png", "dog", "0.875000", "1.25", "dog", "0.125000", "0.875000"],
    ]
