"""One path from a picture to a network's input: turned, resampled, at reduced scale."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart import fingerprint
from headstart.data.images.decode import hash_content, read_image
from headstart.data.images.spec import ImageSpec
from headstart.errors import UnreadableImage

SPEC = ImageSpec(size=224, resize=256, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
SMALL = ImageSpec(size=8, resize=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards, blue is a coarse texture."""
    y, x = np.mgrid[:height, :width]
    blue = 128 + 100 * np.sin(x / 11) * np.cos(y / 7)
    return Image.fromarray(np.stack([x * 255 / width, y * 255 / height, blue], axis=2).astype(np.uint8))


def encoded(image: Image.Image, form: str, **options: object) -> np.ndarray:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16)).mean())


def test_the_centre_square_is_cut_from_the_resized_picture() -> None:
    image = gradient(600, 400)
    resized = image.resize((384, 256), Image.Resampling.BICUBIC)
    expected = np.asarray(resized.crop((80, 16, 304, 240)))
    assert SPEC.load(image).shape == (224, 224, 3)
    assert difference(SPEC.load(image), expected) < 0.01


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation: int) -> None:
    upright = gradient(90, 60)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 98})):
        file = encoded(stored, form, exif=exif, **options)
        assert read_image(file).size == (90, 60)
        assert difference(read_image(file), upright) < 4.0
        assert difference(SMALL.load(file), SMALL.load(upright)) < 1.5


def test_a_picture_that_was_opened_with_pillow_is_turned_like_its_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient(300, 200).save(tmp_path / "turned.jpg", exif=exif)
    with Image.open(tmp_path / "turned.jpg") as image:
        assert read_image(image).size == (200, 300)
        assert image.size == (300, 200)


@pytest.mark.parametrize("side", [720, 1000, 1500, 2200])
def test_a_large_jpeg_decoded_at_reduced_scale_differs_by_less_than_one_grey_level(side: int) -> None:
    picture = encoded(gradient(side * 4 // 3, side), "JPEG", quality=92)
    whole = SPEC.load(np.asarray(read_image(picture)))
    assert min(read_image(picture, near=256).size) < side
    assert min(read_image(picture, near=256).size) >= 256 * 1.4 - 1
    assert difference(SPEC.load(picture), whole) < 1.0


def test_a_jpeg_that_is_not_much_larger_than_needed_is_decoded_whole() -> None:
    picture = encoded(gradient(640, 480), "JPEG")
    assert read_image(picture, near=256).size == (640, 480)
    assert difference(SPEC.load(picture), SPEC.load(np.asarray(read_image(picture)))) == 0.0


@given(width=st.integers(1, 90), height=st.integers(1, 90), size=st.integers(1, 40), more=st.integers(0, 20))
def test_any_size_of_picture_becomes_a_square_of_its_own_range(width: int, height: int, size: int, more: int) -> None:
    spec = ImageSpec(size, size + more, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    square = spec.load(np.full((height, width, 3), 77, dtype=np.uint8))
    assert square.shape == (size, size, 3)
    assert square.dtype == np.uint8
    assert set(np.unique(square)) == {77}


def test_file_bytes_in_an_array_are_read_like_the_file(tmp_path: Path) -> None:
    file = encoded(gradient(100, 80), "PNG")
    (tmp_path / "a.png").write_bytes(file.tobytes())
    assert (SPEC.load(file) == SPEC.load(tmp_path / "a.png")).all()
    assert hash_content(file) == hash_content(tmp_path / "a.png")


def test_many_threads_decode_to_the_same_pixels(tmp_path: Path) -> None:
    for i in range(8):
        gradient(400 + 30 * i, 300).save(tmp_path / f"{i}.jpg")
    paths = sorted(tmp_path.iterdir()) * 6
    alone = [SPEC.load(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: SPEC.load(path), paths))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_content_names_the_bytes_of_a_file_and_the_pixels_in_memory(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"leaf")
    assert hash_content(tmp_path / "a.jpg") == "1f6069b96b03f6d05dfc3ef47178893f"
    grey = Image.new("L", (4, 4), 7)
    assert hash_content(grey) == hash_content(grey.copy())
    assert hash_content(grey) != hash_content(Image.new("L", (2, 8), 7))
    assert hash_content(grey) != hash_content(grey.convert("RGB"))
    array = np.zeros((4, 4), dtype=np.uint8)
    assert hash_content(array) == fingerprint.hash_array(array)
    assert hash_content(array) != hash_content(array.astype(np.uint16))


def test_pictures_with_one_set_of_numbers_and_two_palettes_differ_in_content() -> None:
    first = Image.new("P", (2, 2), 0)
    second = first.copy()
    first.putpalette([255, 0, 0])
    second.putpalette([0, 0, 255])
    assert hash_content(first) != hash_content(second)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_make_the_reader_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons = []

    def attempt() -> None:
        for work in (hash_content, read_image):
            with pytest.raises(UnreadableImage) as caught:
                work(tmp_path / "pipe.jpg")
            reasons.append(str(caught.value))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert reasons == ["it is a pipe or a device, not an ordinary file"] * 2
