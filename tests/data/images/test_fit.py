"""How an image becomes a square: its centre, or the whole of it."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from headstart.data.images.spec import ImageSpec
from headstart.finetune import augment

SPEC = ImageSpec(size=8, resize=8, mean=(100.0, 110.0, 120.0), std=(1.0, 1.0, 1.0))


def striped(width: int, height: int) -> np.ndarray:
    """Red at the left end, blue at the right, black between."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 4] = (255, 0, 0)
    image[:, -(width // 4) :] = (0, 0, 255)
    return image


def test_the_centre_square_shows_no_end_of_a_long_image_and_a_squeezed_one_both() -> None:
    assert SPEC.load(striped(64, 8)).max() == 0
    squeezed = replace(SPEC, fit="squeeze").load(striped(64, 8))
    assert squeezed.shape == (8, 8, 3)
    assert squeezed[4, 0].tolist() == [255, 0, 0]
    assert squeezed[4, 7].tolist() == [0, 0, 255]


@pytest.mark.parametrize("upright", [False, True])
def test_a_padded_image_keeps_its_proportions_between_bands_of_the_network_s_mean(upright: bool) -> None:
    image = striped(64, 32)
    padded = replace(SPEC, fit="pad").load(image.transpose(1, 0, 2) if upright else image)
    padded = padded.transpose(1, 0, 2) if upright else padded
    assert (padded[[0, 1, 6, 7]] == (100, 110, 120)).all()
    assert padded[3, 0].tolist() == [255, 0, 0]
    assert padded[3, 7].tolist() == [0, 0, 255]


def test_a_square_image_is_the_same_squeezed_and_padded() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    squares = [replace(SPEC, fit=fit).load(image) for fit in ("crop", "squeeze", "pad")]
    assert all((square == squares[0]).all() for square in squares)


def test_a_turned_file_is_squeezed_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    stream = io.BytesIO()
    Image.fromarray(striped(64, 8)).transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    squeezed = replace(SPEC, fit="squeeze").load(np.frombuffer(stream.getvalue(), np.uint8))
    assert squeezed[4, 0].tolist() == [255, 0, 0]


def test_augmented_views_are_cut_from_the_whole_image() -> None:
    spec = replace(SPEC, fit="squeeze")
    source = augment.read_source(striped(640, 80), spec, "light")
    assert source.size == (12, 12)
    assert augment.read_source(striped(640, 80), SPEC, "light").size == (640, 80)
