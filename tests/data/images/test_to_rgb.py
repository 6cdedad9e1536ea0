"""Any pixel format becomes eight-bit grey or RGB, or is refused with what was found."""

import io

import numpy as np
import pytest
from PIL import Image

from headstart.data.images.decode import read_image
from headstart.errors import UnreadableImage


def through(image: Image.Image, form: str, **options: object) -> np.ndarray:
    """The RGB pixels of a picture that was saved in a format and read again."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return np.asarray(read_image(np.frombuffer(stream.getvalue(), dtype=np.uint8)))


def test_sixteen_bit_grey_is_scaled_by_its_whole_range_and_not_clipped() -> None:
    values = np.array([[0, 300, 32768, 65535]], dtype=np.uint16)
    for form in ("PNG", "TIFF"):
        assert through(Image.fromarray(values), form)[0, :, 0].tolist() == [0, 1, 128, 255]
    big_endian = Image.frombytes("I;16B", (4, 1), values.astype(">u2").tobytes())
    assert through(big_endian, "TIFF")[0, :, 0].tolist() == [0, 1, 128, 255]
    assert np.asarray(read_image(Image.fromarray(values.astype(np.int32))))[0, :, 2].tolist() == [0, 1, 128, 255]


def test_integers_beyond_sixteen_bits_are_refused() -> None:
    values = Image.fromarray(np.array([[0, 70_000]], dtype=np.int32))
    with pytest.raises(UnreadableImage, match="its values run from 0 to 70000; 16-bit values"):
        read_image(values)


def test_floats_between_zero_and_one_are_scaled_and_others_refused() -> None:
    assert through(Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32)), "TIFF")[0, :, 0].tolist() == [
        0,
        128,
        255,
    ]
    for bad, found in ((2.5, "found values from 0 to 2.5"), (float("nan"), "values that are not numbers")):
        with pytest.raises(UnreadableImage, match=found):
            read_image(np.array([[0, bad]], dtype=np.float32))


def test_what_is_transparent_is_laid_over_white() -> None:
    half = np.array([[[200, 0, 0, 0], [200, 0, 0, 255], [200, 0, 0, 128]]], dtype=np.uint8)
    expected = [[255, 255, 255], [200, 0, 0], [227, 127, 127]]
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        assert through(Image.fromarray(half), form, **options)[0].tolist() == expected
    assert np.asarray(read_image(half))[0].tolist() == expected


def test_grey_with_alpha_and_palette_with_alpha_are_laid_over_white() -> None:
    grey = Image.fromarray(np.array([[[10, 0], [10, 255]]], dtype=np.uint8), "LA")
    assert through(grey, "PNG")[0].tolist() == [[255, 255, 255], [10, 10, 10]]
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 10, 10])
    palette.putalpha(Image.fromarray(np.array([[0, 255]], dtype=np.uint8)))
    assert palette.mode == "PA"
    assert np.asarray(read_image(palette))[0].tolist() == [[255, 255, 255], [10, 10, 10]]


def test_one_colour_declared_transparent_is_laid_over_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 9, 9, 50, 60, 70])
    palette.putdata([0, 1])
    white_then_colour = [[255, 255, 255], [50, 60, 70]]
    assert through(palette, "PNG", transparency=0)[0].tolist() == white_then_colour
    assert through(palette, "PNG", transparency=b"\x00\xff")[0].tolist() == white_then_colour
    assert through(palette, "GIF", transparency=0)[0].tolist() == white_then_colour
    colours = Image.fromarray(np.array([[[9, 9, 9], [50, 60, 70]]], dtype=np.uint8))
    assert through(colours, "PNG", transparency=(9, 9, 9))[0].tolist() == white_then_colour
    grey = Image.fromarray(np.array([[9, 50]], dtype=np.uint8))
    assert through(grey, "PNG", transparency=9)[0].tolist() == [[255, 255, 255], [50, 50, 50]]
    deep = Image.fromarray(np.array([[9, 50 * 257]], dtype=np.uint16))
    assert through(deep, "PNG", transparency=9)[0].tolist() == [[255, 255, 255], [50, 50, 50]]


def test_cmyk_is_not_inverted() -> None:
    picture = np.zeros((16, 16, 4), dtype=np.uint8)
    picture[:, :, 0] = 255
    cyan = through(Image.fromarray(picture, "CMYK"), "JPEG", quality=98)[8, 8]
    assert cyan[0] < 20
    assert min(cyan[1], cyan[2]) > 235
    assert through(Image.fromarray(picture, "CMYK"), "TIFF")[8, 8].tolist() == [0, 255, 255]


def test_one_bit_pictures_are_black_and_white() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    for form in ("PNG", "BMP", "GIF", "TIFF", "PPM"):
        assert through(image, form)[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
def test_of_several_frames_the_first_is_read(form: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {} if form == "MPO" else {"lossless": True} if form == "WEBP" else {}
    pixel = through(frames[0], form, save_all=True, append_images=frames[1:], **options)[8, 8]
    assert pixel[0] > 250
    assert pixel[2] < 5


def test_lab_and_ycbcr_pictures_are_read() -> None:
    assert read_image(Image.new("YCbCr", (2, 2), (255, 128, 128))).getpixel((0, 0)) == (255, 255, 255)
    assert read_image(Image.new("HSV", (2, 2), (0, 0, 90))).getpixel((0, 0)) == (90, 90, 90)
    assert min(read_image(Image.new("LAB", (2, 2), (255, 128, 128))).getpixel((0, 0))) >= 254


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 3), 7, dtype=np.uint8), 7),
        (np.full((2, 3, 1), 7, dtype=np.uint8), 7),
        (np.full((2, 3, 3), 7, dtype=np.uint8), 7),
        (np.full((2, 3), 65535, dtype=np.uint16), 255),
        (np.full((2, 3, 3), 32768, dtype=np.uint16), 128),
        (np.full((2, 3, 3), 0.2, dtype=np.float64), 51),
        (np.full((2, 3), 0.2, dtype=np.float16), 51),
        (np.full((2, 3), True), 255),
        (np.full((3, 2, 3), 7, dtype=np.uint8).transpose(1, 0, 2), 7),
    ],
)
def test_arrays_of_many_kinds_are_pictures(array: np.ndarray, expected: int) -> None:
    picture = read_image(array)
    assert picture.size == (3, 2)
    assert picture.getpixel((2, 1)) == (expected, expected, expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((3, 20, 20), dtype=np.uint8),
            r"shape \(3, 20, 20\) is not an image: .*move the channels last",
        ),
        (np.zeros((2, 2, 2), dtype=np.uint8), r"\(height, width, 1, 3 or 4\) was expected$"),
        (np.zeros((0, 4), dtype=np.uint8), r"shape \(0, 4\) is not an image"),
        (
            np.zeros((4, 4), dtype=np.int64),
            "an array of int64 is not an image: uint8, uint16, bool or floats",
        ),
        (
            np.zeros((4, 4), dtype=np.complex64),
            "an array of complex64 is not an image: numbers were expected",
        ),
        (np.array([["a"]]), "an array of <U1 is not an image"),
        (np.zeros(5, dtype=np.float32), r"shape \(5,\) is not an image"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_was_found(array: np.ndarray, message: str) -> None:
    with pytest.raises(UnreadableImage, match=message):
        read_image(array)


def test_something_else_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="a str is not an image"):
        read_image("photo.jpg")
