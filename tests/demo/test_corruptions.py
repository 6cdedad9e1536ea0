"""Drawn corruptions: the same for a seed, of the same size, worse by every severity."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from headstart.demo.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from headstart.errors import OptionError


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((96, 80))


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("kind", list(CORRUPTIONS))
def test_it_is_the_same_for_a_seed_and_worse_by_every_severity(kind: str, picture: Image.Image) -> None:
    images = [corrupt(picture, kind, severity, seed=3) for severity in SEVERITIES]
    assert all(image.size == (96, 80) and image.mode == "RGB" for image in images)
    assert corrupt(picture, kind, 2, seed=3).tobytes() == images[1].tobytes()
    away = [distance(image, picture) for image in images]
    assert all(later > earlier for earlier, later in pairwise(away))


def test_any_mode_and_a_wrong_word() -> None:
    assert corrupt(Image.new("L", (9, 7), 200), "jpeg", 5).size == (9, 7)
    with pytest.raises(OptionError, match="corruption must be one of"):
        corrupt(Image.new("L", (9, 7)), "snow", 1)
    with pytest.raises(OptionError, match="severity must lie between 1 and 5"):
        corrupt(Image.new("L", (9, 7)), "fog", 6)
