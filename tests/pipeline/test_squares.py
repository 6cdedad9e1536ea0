"""How images become squares is measured where many are long, and costs nothing where they are not."""

from collections.abc import Sequence

import numpy as np
import pytest

from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.sources.in_memory import load_images
from headstart.pipeline import squares
from headstart.pipeline.squares import FitChoice, best_fit, choose_fit
from headstart.records.run import Run
from headstart.records.samples import Samples

RUN = Run(cache=False)


def samples_of(sizes: Sequence[tuple[int, int]]) -> Samples:
    """Noise whose class is a bright quarter at the left, or none."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 120, (height, width, 3)).astype(np.uint8) for width, height in sizes]
    for image in images[::2]:
        image[:, : image.shape[1] // 4] += 130
    return load_images(images, [("bright", "dark")[i % 2] for i in range(len(images))]).samples


def test_photographs_of_three_to_two_keep_the_centre_and_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squares, "_measure_fits", None)
    samples = samples_of([(60, 40)] * 8 + [(160, 20)])
    assert choose_fit(samples, make_thumbnails(samples, cache=False), "auto", RUN) == FitChoice("crop")


def test_long_images_whose_class_shows_at_the_left_are_squeezed() -> None:
    samples = samples_of([(160, 20)] * 24)
    choice = choose_fit(samples, make_thumbnails(samples, cache=False), "auto", RUN)
    assert choice.fit == "squeeze"
    assert choice.note.startswith(
        "Images are long (median 8:1): squeezed whole to a square, because that measured 100 % against "
    )
    assert choice.note.endswith("(a quick probe on 24 images, out of fold).")
    assert choose_fit(samples, None, "auto", RUN) == choice


def test_a_way_that_is_named_is_taken_without_measuring() -> None:
    assert choose_fit(samples_of([(160, 20)]), None, "pad", RUN) == FitChoice("pad")


def test_a_tie_and_a_gain_within_one_standard_error_keep_the_centre() -> None:
    right, half = np.ones(100), np.repeat([1.0, 0.0], 50)
    assert best_fit({"crop": half, "squeeze": half, "pad": half}) == "crop"
    assert best_fit({"crop": half, "squeeze": half[::-1] + 0.0, "pad": half}) == "crop"
    assert best_fit({"crop": half, "squeeze": half, "pad": right}) == "pad"
    assert best_fit({"crop": half, "squeeze": right, "pad": right}) == "squeeze"


def test_too_few_images_keep_the_centre_and_say_so() -> None:
    samples = samples_of([(160, 20)] * 2)
    choice = choose_fit(samples, make_thumbnails(samples, cache=False), "auto", RUN)
    assert choice == FitChoice(
        "crop",
        "Images are long (median 8:1): the centre square is looked at; too few can be read to measure other ways.",
    )
