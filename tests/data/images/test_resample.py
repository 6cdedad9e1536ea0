"""Pixels follow from a formula: two passes, a box on a grid, whatever Pillow's version."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from headstart.data.images.resample import Window, centre_square, resample
from headstart.data.images.spec import ImageSpec, ViewSpec

SOURCE = Path(__file__).parents[3] / "src"
BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


def bicubic(t: np.ndarray) -> np.ndarray:
    t = np.abs(t)
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


def triangle(t: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(t), 0)


def weights(low: float, high: float, size: int, length: int, kernel=bicubic) -> np.ndarray:
    """(size, length): each new pixel's weights, in Pillow's fixed point of 22 bits."""
    scale = (high - low) / size
    centres = low + (np.arange(size) + 0.5) * scale
    t = (np.arange(length)[None, :] + 0.5 - centres[:, None]) / max(scale, 1.0)
    w = kernel(t)
    return np.floor(w / w.sum(axis=1, keepdims=True) * 2**22 + 0.5)


def pass_over(pixels: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Along the last axis, rounded to eight bits."""
    return np.clip(np.floor((pixels @ w.T + 2**21) / 2**22), 0, 255)


def emulated(pixels: np.ndarray, size: int, resize: int, kernel=bicubic) -> np.ndarray:
    height, width = pixels.shape[:2]
    left, top, right, bottom = centre_square(width, height, size, resize)
    channels = np.moveaxis(pixels.astype(np.float64), 2, 0)
    rows = pass_over(channels, weights(left, right, size, width, kernel))
    columns = pass_over(np.swapaxes(rows, 1, 2), weights(top, bottom, size, height, kernel))
    return np.transpose(columns, (2, 1, 0)).astype(np.uint8)


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 700), height=st.integers(1, 700), seed=st.integers(0, 99))
def test_a_float64_emulation_gives_the_same_pixels_bit_for_bit(width: int, height: int, seed: int) -> None:
    pixels = noise(width, height, seed)
    spec = ImageSpec(size=56, resize=64, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert (spec.load(pixels) == emulated(pixels, 56, 64)).all()


def test_bilinear_follows_its_formula_too() -> None:
    pixels = noise(341, 256)
    spec = ImageSpec(size=96, resize=100, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation="bilinear")
    assert (spec.load(pixels) == emulated(pixels, 96, 100, triangle)).all()


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), size=st.integers(1, 400), more=st.integers(0, 200))
def test_the_square_lies_on_the_grid_within_the_image_and_in_its_middle(
    width: int, height: int, size: int, more: int
) -> None:
    left, top, right, bottom = centre_square(width, height, size, size + more)
    assert right - left == bottom - top > 0
    assert left + right == width
    assert top + bottom == height
    assert min(left, top) >= 0
    assert all(float(np.float32(256 * v)) == round(256 * v) for v in (left, top, right, bottom))
    assert abs((right - left) - max(min(width, height) * size / (size + more), 1 / 128)) <= 1 / 128


def test_a_reduced_jpeg_that_ends_within_a_pixel_has_its_square_in_the_middle_of_what_it_shows() -> None:
    assert centre_square(341.375, 256, 256, 256) == (42.6875, 0.0, 298.6875, 256.0)


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_a_picture_turned_afterwards_has_the_pixels_of_the_one_turned_before(turn: Image.Transpose) -> None:
    image = Image.fromarray(noise(341, 256))
    upright = image.transpose(turn)
    lying = upright.size != image.size
    after = resample(image, (90, 90), centre_square(341, 256, 90, 100), BICUBIC, columns_first=lying).transpose(turn)
    before = resample(upright, (90, 90), centre_square(*upright.size, 90, 100), BICUBIC)
    assert (np.asarray(after) == np.asarray(before)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_stranger_who_turns_the_whole_picture_first_gets_the_same_square(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise(300, 222)).save(tmp_path / "turned.png", exif=exif)
    spec = ImageSpec(size=64, resize=72, mean=(0.0,) * 3, std=(1.0,) * 3)
    turned = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "turned.png")))
    assert (spec.load(tmp_path / "turned.png") == emulated(turned, 64, 72)).all()


def test_only_the_rows_that_are_needed_are_resampled_and_no_other_pixel_changes() -> None:
    image = Image.fromarray(noise(200, 1900))
    box = centre_square(200, 1900, 64, 72)
    rows = image.resize((64, 1900), BILINEAR, (box[0], 0, box[2], 1900))
    whole = rows.resize((64, 64), BILINEAR, (0, box[1], 64, box[3]))
    assert (np.asarray(resample(image, (64, 64), box, BILINEAR)) == np.asarray(whole)).all()


DIGEST = """
import hashlib, io, sys
import numpy as np
from PIL import Image
from headstart.data.images.spec import ImageSpec, ViewSpec
random, total = np.random.default_rng(0), hashlib.sha256()
for i in range(40):
    height, width = random.integers(1, 900, 2)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for size, resize, fit, interpolation in (
        (224, 256, "crop", "bicubic"), (260, 298, "crop", "bicubic"), (96, 96, "pad", "bilinear"),
        (64, 80, "squeeze", "bicubic"),
    ):
        spec = ImageSpec(size, resize, (0.0,) * 3, (1.0,) * 3, interpolation, fit)
        total.update(spec.load(pixels).tobytes())
print(total.hexdigest())
"""


def digest(python: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([python, "-c", DIGEST], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


@pytest.mark.slow
def test_the_oldest_and_the_newest_pillow_give_the_same_bits(tmp_path: Path) -> None:
    digests = {"here": digest(sys.executable)}
    for wanted in ("pillow==11.0.0", "pillow"):
        python = tmp_path / hashlib.sha256(wanted.encode()).hexdigest()[:8]
        subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
        pip = [str(python / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, wanted, "numpy", "platformdirs", "safetensors"], check=True)
        digests[wanted] = digest(str(python / "bin" / "python"))
    assert len(set(digests.values())) == 1, digests


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 5000), height=st.integers(1, 5000), places=st.tuples(*[st.floats(0, 1)] * 3))
def test_a_window_lies_inside_the_image_on_the_grid(
    width: int, height: int, places: tuple[float, float, float]
) -> None:
    box = centre_square(width, height, 224, 256)
    side = 0.2 + 0.8 * places[0]
    left, top, right, bottom = Window(side, *places[1:]).within(width, height, box)
    assert all(256 * edge == round(256 * edge) for edge in (left, top, right, bottom))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == pytest.approx(side * (box[2] - box[0]), abs=1 / 128)


@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_a_view_shows_a_part_of_the_image_the_same_each_time(fit: str) -> None:
    spec = ImageSpec(size=64, resize=64, mean=(127.0,) * 3, std=(128.0,) * 3, fit=fit)
    image = np.add.outer(np.arange(90), np.arange(120))[..., None].repeat(3, axis=2).astype(np.uint8)
    plain, first, second = (s.load(image) for s in (spec, ViewSpec.of(spec, 0), ViewSpec.of(spec, 1)))
    assert first.shape == plain.shape == (64, 64, 3)
    assert np.array_equal(ViewSpec.of(spec, 0).load(image), first)
    assert not np.array_equal(first, second)
    window = ViewSpec.of(spec, 0).window(image)
    assert window is not None
    assert 0.6**0.5 <= window.side <= 1
    # The ramp climbs by one grey level a pixel: a smaller window shows it climb less.
    climb = [float(np.diff(square[32, 28:36, 0].astype(int)).mean()) for square in (plain, first)]
    assert climb[1] == pytest.approx(climb[0] * window.side, abs=0.3)


def test_views_of_equal_pixels_are_equal_and_every_view_has_a_fingerprint_of_its_own(tmp_path: Path) -> None:
    spec = ImageSpec(size=32, resize=32, mean=(127.0,) * 3, std=(128.0,) * 3)
    image = noise(64, 48)
    assert ViewSpec.of(spec, 2).window(image) == ViewSpec.of(spec, 2).window(image.copy())
    assert ViewSpec.of(spec, 2).window(image) != ViewSpec.of(spec, 2).window(noise(64, 48, seed=1))
    assert len({view.fingerprint() for view in (spec, *(ViewSpec.of(spec, number) for number in range(3)))}) == 4
