"""A file that cannot be read says why in one phrase, never hangs, and never brings the run down."""

import contextlib
import io
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.data.images import open
from headstart.data.images.decode import hash_content, read_image
from headstart.errors import UnreadableImage


def jpeg(side: int = 64) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()


def reason_of(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert str(path.parent) not in str(caught.value), "a reason carries no path"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"just some notes", "it is not an image in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"),
        (b"<!DOCTYPE html><p>404", "it is a web page, not an image"),
        (b"%PDF-1.7 ....", "it is a PDF document, not an image"),
        (b"PK\x03\x04.....", "it is a ZIP archive, not an image"),
        (
            b"\0\0\0\x18ftypheic\0\0",
            "it is a HEIC photograph, which is not supported: convert it to JPEG (heif-convert, or on a Mac: sips -s "
            "format jpeg)",
        ),
        (
            b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif",
            "it is an AVIF image, which is not supported: convert it to JPEG or PNG (avifdec)",
        ),
        (
            b"\0\0\0\x0cjP  \r\n\x87\n",
            "it is a JPEG 2000 image, which is not supported: convert it to PNG (opj_decompress, or ImageMagick)",
        ),
        (b"\xff\x0a\xfa\x7f", "it is a JPEG XL image, which is not supported: convert it to PNG (djxl)"),
        (
            bytes(128) + b"DICM",
            "it is a DICOM image, which is not supported: convert it to PNG (dcm2img, or pydicom and Pillow in Python)",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "it is a Git LFS pointer, not the image itself: run  git lfs pull",
        ),
    ],
)
def test_a_file_that_is_no_picture_is_named_for_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    assert reason_of(tmp_path / "photo.jpg") == reason


def test_a_truncated_jpeg_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(jpeg()[:-700])
    assert reason_of(tmp_path / "cut.jpg").startswith("the file is cut short (image file is truncated")


def test_a_truncated_png_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    read_image(np.frombuffer(jpeg(), dtype=np.uint8)).save(stream, "PNG")
    (tmp_path / "cut.png").write_bytes(stream.getvalue()[:3000])
    assert "truncated" in reason_of(tmp_path / "cut.png")


def test_a_folder_called_like_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").mkdir()
    assert reason_of(tmp_path / "x.jpg") == "it is a folder, not a file"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "none.jpg") == "there is no such file"
    with pytest.raises(UnreadableImage, match="there is no such file"):
        hash_content(tmp_path / "none.jpg")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    (tmp_path / "secret.jpg").chmod(0)
    assert reason_of(tmp_path / "secret.jpg") == "there is no permission to read it"


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert reason_of(tmp_path / "bomb.png") == "it declares 60,000 x 60,000 pixels; the limit is 250 million pixels"


def test_a_picture_above_pillow_s_own_warning_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    (tmp_path / "large.jpg").write_bytes(jpeg(64))
    assert read_image(tmp_path / "large.jpg").size == (64, 64)


def test_the_limit_holds_for_a_picture_opened_with_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open, "MAX_PIXELS", 3_000_000)
    image = Image.new("1", (2000, 2000))
    with pytest.raises(UnreadableImage, match="it declares 2,000 x 2,000 pixels; the limit is 3 million"):
        read_image(image)


def test_the_ending_does_not_matter_the_first_bytes_do(tmp_path: Path) -> None:
    (tmp_path / "wrong.png").write_bytes(jpeg())
    assert read_image(tmp_path / "wrong.png").size == (64, 64)


def test_formats_that_run_other_programs_are_never_tried(tmp_path: Path) -> None:
    (tmp_path / "drawing.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert reason_of(tmp_path / "drawing.jpg").startswith("it is not an image in a known format")


def test_broken_exif_data_neither_spoil_a_picture_nor_make_a_noise(tmp_path: Path) -> None:
    stream = io.BytesIO()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x03\0\x12\x01\x03\0\x01\0\0\0\x06"
    Image.open(io.BytesIO(jpeg())).save(stream, "JPEG", exif=exif)
    (tmp_path / "odd.jpg").write_bytes(stream.getvalue())
    open._silence_pillow.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.resetwarnings()  # as in a process that has no filters of its own
        assert read_image(tmp_path / "odd.jpg").size == (64, 64)
    open._silence_pillow.cache_clear()
    assert said == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]))
    stream = io.BytesIO()
    Image.open(io.BytesIO(jpeg(16))).save(stream, form)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    with contextlib.suppress(UnreadableImage):
        assert read_image(np.frombuffer(bytes(content), dtype=np.uint8)).mode == "RGB"
