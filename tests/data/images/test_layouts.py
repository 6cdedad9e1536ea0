"""Every layout of a file's numbers is read as it is meant, or refused in one true sentence."""

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from tests.data.images.tiff_bytes import tiff_bytes

from headstart.data.images.decode import read_image, read_remarks
from headstart.data.images.remarks import Remark, remark_notes
from headstart.errors import UnreadableImage

DEPTHS = [(bits, 1) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 32)] + [
    (8, 2),
    (16, 2),
    (32, 2),
    (16, 3),
    (32, 3),
    (64, 3),
]
COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # photometric interpretation → channels
READ = {  # the layouts that are read: colours, bits, kind
    *((grey, bits, 1) for grey in (0, 1) for bits in (1, 2, 4, 8, 16)),
    *((0, 32, 3), (1, 32, 3), (1, 12, 1), (1, 16, 2)),
    *((2, 8, 1), (2, 16, 1), (5, 8, 1), (5, 16, 1)),
}


def source(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(read_image(source(content)))


def refusal_of(content: bytes) -> str:
    """Why an image is refused; '' for one that is read."""
    try:
        read_image(source(content))
    except UnreadableImage as refusal:
        return str(refusal)
    return ""


def reason(content: bytes) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(source(content))
    return str(caught.value)


def shares(bits: int, kind: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers as a file holds them, and as shares of white."""
    random = np.random.default_rng(0).random((6, 8, channels))
    if kind == 3:
        return random.astype(np.float32), random
    most = 2 ** (bits - (kind == 2)) - 1
    numbers = np.round(random * most).astype(np.int64)
    return numbers, numbers / most


def rgb(share: np.ndarray, colours: int) -> np.ndarray:
    if colours in (0, 1):
        return np.repeat(share if colours else 1 - share, 3, axis=2)
    return share if colours == 2 else (1 - share[:, :, :3]) * (1 - share[:, :, 3:])


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize(("bits", "kind"), DEPTHS)
def test_numbers_of_every_depth_are_scaled_by_their_own_white_or_refused(bits: int, kind: int, colours: int) -> None:
    numbers, share = shares(bits, kind, COLOURS[colours])
    for order, deflate, separate in itertools.product("<>", (False, True), (False, True)):
        file = tiff_bytes(
            numbers, bits=bits, kind=kind, colours=colours, order=order, deflate=deflate, separate=separate
        )
        refusal = refusal_of(file)
        if refusal:
            few = order == ">" and (colours, bits) in ((0, 16), (1, 12))  # a combination that Pillow lacks
            planes = separate and bits > 8 and COLOURS[colours] > 1
            assert few or planes or (colours, bits, kind) not in READ
            assert f"{bits}-bit" in refusal
            assert "save" in refusal
            assert "damaged" not in refusal
        else:
            assert (colours, bits, kind) in READ
            assert np.abs(pixels(file) - 255 * rgb(share, colours)).max() <= 1.5


def test_twelve_bits_are_divided_by_4095() -> None:
    values = np.array([[[0], [2048], [4095], [16]]])
    assert pixels(tiff_bytes(values, bits=12, colours=1))[0, :, 0].tolist() == [0, 128, 255, 1]


def test_sixteen_bits_that_declare_twelve_are_divided_by_4095_and_other_maxima_say_nothing() -> None:
    values = np.array([[[0], [2048], [4095]]])
    for declared, expected in ((4095, [0, 128, 255]), (4000, [0, 8, 16]), (1023, [0, 8, 16]), (65535, [0, 8, 16])):
        file = tiff_bytes(values, bits=16, colours=1, tags={281: (declared,)})
        assert pixels(file)[0, :, 0].tolist() == expected


def test_signed_numbers_below_zero_are_refused() -> None:
    file = tiff_bytes(np.array([[[-5], [7]]]), bits=16, kind=2, colours=1)
    assert reason(file) == "its values run from -5 to 7; 15-bit values (0 to 32767) were expected"


def test_whole_numbers_below_zero_of_eight_bits_are_not_taken_for_bright_ones() -> None:
    file = tiff_bytes(np.array([[[-5], [7]]]), bits=8, kind=2, colours=1)
    assert (
        reason(file)
        == "its pixels are 8-bit signed whole numbers, which is not supported: save it as grey with 8 or 16 bits"
    )


@pytest.mark.parametrize(
    ("channels", "kind", "bits", "sentence"),
    [
        (13, 1, 16, "it has 13 channels of 16-bit whole numbers: save three as RGB with 8 bits"),
        (5, 1, 8, "it has 5 channels of 8-bit whole numbers: save three as RGB with 8 bits"),
    ],
)
def test_images_of_many_bands_are_refused_with_their_number(
    channels: int, kind: int, bits: int, sentence: str, tmp_path: Path
) -> None:
    file = tiff_bytes(np.ones((4, 4, channels), int), bits=bits, kind=kind, colours=1)
    assert reason(file) == sentence
    (tmp_path / "bands.tif").write_bytes(file)
    code = (
        "import sys, pathlib; from headstart.data.images.decode import read_remarks as r; r(pathlib.Path(sys.argv[1]))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "bands.tif")], capture_output=True, check=True)
    assert run.stderr == b""


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
def test_of_a_damaged_compressed_tiff_nothing_is_printed(compression: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    content = encoded(Image.fromarray(noise), "TIFF", compression=compression)
    (tmp_path / "damaged.tif").write_bytes(content[:200] + bytes(3000) + content[3200:])
    code = "import sys, pathlib; from headstart.data.images import decode; decode.read_image(pathlib.Path(sys.argv[1]))"
    code = f"from headstart.errors import UnreadableImage\ntry:\n    {code}\nexcept UnreadableImage:\n    pass"
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "damaged.tif")], capture_output=True, check=True)
    assert run.stderr == b""


def test_float_colours_are_refused_by_their_kind() -> None:
    file = tiff_bytes(np.ones((2, 2, 3), np.float32), bits=32, kind=3, colours=2)
    assert reason(file) == (
        "it has 3 channels of 32-bit floating-point numbers, which is not supported: save three as RGB with 8 bits"
    )


@pytest.mark.parametrize(
    ("colours", "words"), [(9, "ICC Lab colours"), (32803, "a camera's raw mosaic"), (4, "a transparency mask")]
)
def test_colours_that_nobody_converts_are_named(colours: int, words: str) -> None:
    file = tiff_bytes(np.ones((2, 2, 3), int), bits=8, colours=colours)
    assert reason(file) == f"it holds {words}, which is not supported: save it as RGB"


def test_colours_at_a_lower_resolution_without_compression_are_refused_and_whole_ones_read() -> None:
    grey = np.full((2, 2, 3), 128)
    assert reason(tiff_bytes(grey, bits=8, colours=6)) == (
        "its colours are stored at a lower resolution without compression: save it as RGB"
    )
    assert pixels(tiff_bytes(grey, bits=8, colours=6, tags={530: (1, 1)}))[0, 0].tolist() == [128, 128, 128]


def test_lab_and_palettes_are_read() -> None:
    lab = np.array([[[255, 0, 0], [0, 0, 0]]])
    assert pixels(tiff_bytes(lab, bits=8, colours=8))[0, :, 1].tolist() == [255, 0]
    table = tuple([0, 65535] * 3)
    for bits in (1, 2, 4, 8):
        colour_map = (
            {320: tuple(v for _ in range(3) for v in (0, 65535, *[0] * (2**bits - 2)))} if bits > 1 else {320: table}
        )
        found = pixels(tiff_bytes(np.array([[[0], [1]]]), bits=bits, colours=3, tags=colour_map))
        assert found[0, :, 0].tolist() == [0, 255]


def test_a_band_that_is_tagged_as_opacity_leaves_the_colours_alone() -> None:
    colours = np.full((8, 8, 3), (10, 100, 200))
    infrared = np.random.default_rng(0).integers(20, 230, (8, 8, 1))
    values = np.concatenate([colours, infrared], axis=2)
    for extra in (1, 2):  # opacity multiplied in, and not
        file = tiff_bytes(values, bits=8, colours=2, extra=(extra,))
        assert pixels(file)[3, 3].tolist() == [10, 100, 200]
        assert read_remarks(source(file)) == Remark.CHANNELS
    assert np.asarray(read_image(values.astype(np.uint8)))[3, 3].tolist() == [10, 100, 200]
    assert read_remarks(values.astype(np.uint8)) == Remark.CHANNELS


def test_a_further_band_of_no_declared_meaning_is_left_out_with_a_remark() -> None:
    values = np.full((2, 2, 4), (10, 100, 200, 77))
    file = tiff_bytes(values, bits=8, colours=2, extra=(0,))
    assert pixels(file)[0, 0].tolist() == [10, 100, 200]
    assert read_remarks(source(file)) == Remark.CHANNELS


def test_opacity_that_is_multiplied_in_is_not_applied_twice() -> None:
    values = np.array([[[100, 0, 0, 128], [200, 0, 0, 255], [0, 0, 0, 0], [0, 0, 0, 0]]])
    file = tiff_bytes(values, bits=8, colours=2, extra=(1,))
    assert np.abs(pixels(file)[0, :3].astype(int) - [[227, 127, 127], [200, 0, 0], [255, 255, 255]]).max() <= 1
    assert read_remarks(source(file)) == Remark.NONE


def test_opacity_of_zero_everywhere_counts_as_absent() -> None:
    header = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    body = bytes([200, 100, 10, 0, 5, 6, 7, 0])
    file = b"BM" + struct.pack("<IHHI", 14 + 108 + 8, 0, 0, 122) + header + body
    assert pixels(file)[0].tolist() == [[10, 100, 200], [7, 6, 5]]
    assert read_remarks(source(file)) == Remark.EMPTY_ALPHA


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def drawing(colour: tuple[int, int, int]) -> Image.Image:
    image = np.zeros((20, 20, 4), np.uint8)
    image[5:15, 8:12] = (*colour, 255)
    return Image.fromarray(image)


def test_a_white_drawing_on_a_transparent_ground_is_laid_over_black_and_any_other_over_white() -> None:
    white = encoded(drawing((255, 255, 255)))
    assert pixels(white)[0, 0].tolist() == [0, 0, 0]
    assert pixels(white)[10, 10].tolist() == [255, 255, 255]
    assert read_remarks(source(white)) == Remark.BLACK_GROUND
    for colour in ((0, 0, 0), (255, 255, 0), (200, 200, 200)):
        other = encoded(drawing(colour))
        assert pixels(other)[0, 0].tolist() == [255, 255, 255]
        assert read_remarks(source(other)) == Remark.NONE


def test_of_several_pages_a_remark_is_made_and_of_a_preview_none() -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("black", "red")]
    for form in ("TIFF", "GIF", "WEBP", "PNG"):
        assert read_remarks(source(encoded(pages[0], form, save_all=True, append_images=pages[1:]))) == Remark.PAGES
        assert read_remarks(source(encoded(pages[0], form))) == Remark.NONE
    preview = Image.new("RGB", (4, 4))
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    with_preview = encoded(pages[0], "TIFF", save_all=True, append_images=[preview])
    assert read_remarks(source(with_preview)) == Remark.NONE


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(2 << 20))),
        (b"zTXt", b"notes\0\0" + zlib.compress(b"a" * (2 << 20))),
        (b"iTXt", b"notes\0\1\0\0\0" + zlib.compress(b"a" * (2 << 20))),
        (b"tEXt", b"notes\0" + b"a" * (2 << 20)),
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before the pixels", "after them"])
def test_a_png_with_a_large_text_or_profile_is_read(kind: bytes, body: bytes, before: bool, tmp_path: Path) -> None:
    content = encoded(Image.new("RGB", (4, 4), (10, 100, 200)))
    place = content.index(b"IDAT" if before else b"IEND") - 4
    file = content[:place] + chunk(kind, body) + content[place:]
    (tmp_path / "large.png").write_bytes(file)
    assert pixels(file)[0, 0].tolist() == [10, 100, 200]
    assert read_image(tmp_path / "large.png").getpixel((3, 3)) == (10, 100, 200)


def test_a_png_keeps_its_turn_beside_a_large_text() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("notes", "a" * (2 << 20), zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encoded(Image.new("RGB", (6, 4)), pnginfo=texts, exif=exif)
    assert read_image(source(file)).size == (4, 6)


def test_a_float_a_trace_above_one_is_one() -> None:
    found = read_image(np.array([[1.0000001, -1e-7, 0.5]]))
    assert [found.getpixel((i, 0))[0] for i in range(3)] == [255, 0, 128]
    with pytest.raises(UnreadableImage, match=r"found values from 0 to 1\.1"):
        read_image(np.array([[0, 1.1]]))


def test_remarks_become_sentences_with_counts() -> None:
    assert remark_notes([Remark.PAGES, Remark.PAGES | Remark.CHANNELS, 0]) == (
        "2 images hold several pages or frames: the first was read.",
        "1 image has a further channel that is no opacity (such as near infrared): the usual colours were read.",
    )
    assert remark_notes([]) == ()
