"""mAP equals pycocotools' to 1e-9; a thousand resamples keep the matches and take seconds."""

import contextlib
import io
import time

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from headstart.metrics.boxes.average_precision import average_precision, estimate_precision, precision_of_resamples
from headstart.metrics.boxes.matching import match
from headstart.records.boxes import Boxes, Detections, boxes_from_lists


def scene(seed: int, images: int = 12) -> tuple[Boxes, list[Detections]]:
    """Random objects, some ignored, and detections near them, some of them twice, some anywhere."""
    random = np.random.default_rng(seed)
    objects, detections = [], []
    for _ in range(images):
        corners = [_rectangle(random) for _ in range(random.integers(0, 6))]
        objects.append([(int(random.integers(3)), c, bool(random.random() < 0.15)) for c in corners])
        near = [(label, c + random.normal(0, 4, 4)) for label, c, _ in objects[-1] for _ in range(random.integers(3))]
        anywhere = [(int(random.integers(3)), _rectangle(random)) for _ in range(random.integers(3))]
        seen = [
            (label, np.array([*np.minimum(c[:2], c[2:]), *np.maximum(c[:2], c[2:])])) for label, c in near + anywhere
        ]
        detections.append(
            Detections(
                np.array([c for _, c in seen]).reshape(-1, 4),
                random.random(len(seen)).round(2),
                np.array([label for label, _ in seen], np.int64),
            )
        )
    return boxes_from_lists(objects, [(200, 200)] * images, "abc"), detections


def _rectangle(random: np.random.Generator) -> np.ndarray:
    low, size = random.uniform(0, 150, 2), random.uniform(5, 50, 2)
    return np.concatenate([low, low + size])


def reference(boxes: Boxes, detections: list[Detections]) -> tuple[float, float]:
    def width(corners: np.ndarray) -> list[float]:
        return [*corners[:2].tolist(), *(corners[2:] - corners[:2]).tolist()]

    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(boxes))],
        "categories": [{"id": k} for k in range(len(boxes.names))],
        "annotations": [
            {
                "id": j + 1,
                "image_id": int(boxes.image[j]),
                "category_id": int(boxes.labels[j]),
                "bbox": width(boxes.corners[j]),
                "area": 100.0,
                "iscrowd": int(boxes.ignored[j]),
            }
            for j in range(len(boxes.image))
        ],
    }
    lines = [
        {"image_id": i, "category_id": int(k), "bbox": width(c), "score": float(s)}
        for i, seen in enumerate(detections)
        for c, s, k in zip(seen.corners, seen.scores, seen.labels, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(lines), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[1]), float(judge.stats[0])


@pytest.mark.parametrize("seed", range(6))
def test_map_equals_pycocotools(seed: int) -> None:
    boxes, detections = scene(seed)
    precision = average_precision(match(boxes, detections))
    assert (precision.map50, precision.map) == pytest.approx(reference(boxes, detections), abs=1e-9)


def test_the_truth_given_as_prediction_scores_one() -> None:
    boxes, _ = scene(0)
    kept = ~boxes.ignored
    seen = []
    for row in range(len(boxes)):
        place = np.flatnonzero(kept & (boxes.image == row))
        seen.append(Detections(boxes.corners[place], np.ones(len(place)), boxes.labels[place]))
    precision = average_precision(match(boxes, seen))
    assert (precision.map50, precision.map) == pytest.approx((1.0, 1.0))


def test_nothing_detected_scores_zero() -> None:
    boxes, _ = scene(1)
    assert average_precision(match(boxes, [Detections.none()] * len(boxes))).map50 == 0


def test_a_resample_equals_the_score_of_the_images_drawn() -> None:
    boxes, detections = scene(2)
    rows = np.array([0, 0, 3, 5, 5, 5, 7, 8, 9, 9, 10, 11])
    weights = np.bincount(rows, minlength=12).astype(float)
    drawn = match(boxes.take(rows), [detections[i] for i in rows])
    resampled = precision_of_resamples(match(boxes, detections), weights[None])[0]
    assert resampled.tolist() == pytest.approx(
        list(reference_pair(drawn)), abs=0.02
    )  # equal scores stand in another order


def reference_pair(matches: object) -> tuple[float, float]:
    precision = average_precision(matches)  # type: ignore[arg-type]
    return precision.map50, precision.map


def test_an_interval_holds_its_value_and_counts_objects() -> None:
    boxes, detections = scene(3, images=40)
    estimates = estimate_precision(match(boxes, detections), resamples=200)
    assert estimates.map50.low < estimates.map50.value < estimates.map50.high
    assert estimates.objects == tuple(boxes.objects().values())


@pytest.mark.clock
def test_a_thousand_resamples_of_72_images_take_two_seconds() -> None:
    boxes, detections = scene(4, images=72)
    matches = match(boxes, detections)
    start = time.perf_counter()
    estimate_precision(matches)
    assert time.perf_counter() - start < 2
