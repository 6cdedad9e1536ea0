"""The answer comes first, in plain words, and says where there are too few images to answer."""

import re
from typing import Any

import pytest

from headstart.metrics.intervals import Estimate
from headstart.model.details import candidate_rows, reasons
from headstart.model.model import Model
from headstart.model.summary import answer_lines, confusion_words, important_notes, summary, too_few

JARGON = re.compile(r"Brier|AUROC|debiased|temperature|BBC|calibrat|log-loss|F1", re.IGNORECASE)


def manifest_of(images: int, value: float, low: float, high: float, counts: dict[str, int]) -> dict[str, Any]:
    estimate = {"value": value, "low": low, "high": high, "metric": "accuracy", "confidence": 0.95, "method": "-"}
    rows = [{"name": name, "count": count} for name, count in counts.items()]
    first = next(iter(counts))
    return {
        "scores": {
            "estimate": estimate,
            "majority": {"class": first, "score": counts[first] / images},
            "held_out": None,
            "out_of_fold": {"per_class": rows, "confusion": [[counts[first], 0], [2, counts["rust"] - 2]]},
        },
        "data": {"images": images, "counts": counts},
        "head": {"candidate": "probe", "features": "efficientnet_lite0, last layer"},
        "trust": None,
    }


def test_the_answer_of_a_real_training_has_no_jargon_and_begins_with_the_result(trained: Model) -> None:
    lines = answer_lines(trained.manifest(), model="model", data="photos")
    names = [name for name, _ in lines]
    assert names[:2] == ["result", "confuses"]
    assert [name for name in names if name in ("next", "saved")] == ["next", "saved"]
    assert not JARGON.search(" ".join(text for _, text in lines))
    assert ("next", "headstart predict model IMAGES…") in lines
    assert "Brier" in summary(trained.manifest(), details=True)
    assert max(map(len, summary(trained.manifest(), details=True).splitlines())) <= 80


def test_what_was_asked_stands_in_the_first_lines() -> None:
    manifest = manifest_of(400, 0.93, 0.90, 0.96, {"healthy": 300, "rust": 100})
    assert summary(manifest, model="m", width=None).splitlines() == [
        "result     93.0 % right on new images like these (95 % interval 90.0–96.0); always saying 'healthy': 75.0 %",
        "confuses   rust taken for healthy: 2 of 100",
        "next       headstart predict m IMAGES…",
        "saved      m: probe on lite0, last layer, from 400 images of 2 classes",
    ]


def test_six_images_are_not_told_a_score_without_a_warning() -> None:
    manifest = manifest_of(6, 0.998, 0.539, 1.0, {"healthy": 3, "rust": 3})
    lines = summary(manifest, model="m", width=None).splitlines()
    assert lines[0] == (
        "result     far too few images to know how good it is: 99.8 % right was measured on 6 images of 2 classes "
        "(95 % interval 53.9–100.0; always saying 'healthy': 50.0 %). About 140 images (70 of each class) would make "
        "the number worth something, give or take 5 points"
    )
    assert lines[1].startswith("next       label more images and train again; until then look at every prediction: ")
    assert not any(line.startswith("confuses") for line in lines)


@pytest.mark.parametrize(
    ("images", "low", "high", "counts", "expected"),
    [
        (100, 0.728, 0.899, {"a": 50, "b": 50}, (False, 300)),  # 100 · (0.0855 / 0.05)²
        (400, 0.90, 0.96, {"a": 200, "b": 200}, (False, 0)),
        (100, 0.80, 0.90, {"a": 96, "b": 4}, (True, 200)),  # 1.96² · 0.85 · 0.15 / 0.05² = 196, at least twice 100
    ],
)
def test_how_many_images_would_do(
    images: int, low: float, high: float, counts: dict[str, int], expected: tuple[bool, int]
) -> None:
    assert (
        too_few(Estimate((low + high) / 2, low, high, "accuracy", 0.95, "-"), {"images": images, "counts": counts})
        == expected
    )


def test_confusions_are_counted_most_first() -> None:
    card = {
        "per_class": [{"name": name, "count": 25} for name in ("blight", "rust", "spot")],
        "confusion": [[17.8, 1.8, 5.4], [2.2, 22.2, 0.4], [6.4, 0.6, 18.0]],
    }
    assert confusion_words(card) == (
        "spot taken for blight: 6 of 25; blight taken for spot: 5 of 25; rust taken for blight: 2 of 25; 2 others"
    )


def test_notes_of_technique_wait_for_the_details() -> None:
    notes = ["Novelty: 4 classes left out in turn: AUROC 0.88.", "Left out: 3 images that cannot be read."]
    assert important_notes(notes) == notes[1:]


def test_a_score_on_a_part_of_the_folds_is_marked() -> None:
    score = {"value": 0.933, "low": 0.8, "high": 0.99}
    gain = {"value": 0.01, "low": -0.05, "high": 0.07}
    entry = {"name": "last-1", "features": "efficientnet_lite0", "score": score, "gain": gain, "seconds": 9.0}
    entries = [
        {**entry, "name": "ridge", "status": "chosen", "gain": None},
        {**entry, "status": "given up", "reason": "after 1 of 5 folds: the time was used up"},
    ]
    _, rows = candidate_rows({"candidates": entries})
    assert [row[2] for row in rows] == ["93.3 %", "93.3 % *"]
    assert reasons({"candidates": entries}) == [
        "* scored on a part of the folds: compare its gain, not its score",
        "given up: last-1 on lite0: after 1 of 5 folds: the time was used up",
    ]
