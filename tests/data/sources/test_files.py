"""What counts as an image: by its ending, and where that says nothing by its first bytes."""

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from headstart.data.images.decode import read_image
from headstart.data.sources.files import list_folder
from headstart.data.sources.load import load_dataset
from headstart.errors import UnreadableImage

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.heic", HEIC),
        ("a.HEIF", HEIC),
        ("no_ending", HEIC),
        ("a.avif", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"),
        ("a.jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
        ("b", b"\xff\x4f\xff\x51\x00\x2f"),
        ("a.jxl", b"\xff\x0a\xfa\x7f"),
        ("a.dcm", bytes(128) + b"DICM"),
        ("IM-0001", bytes(128) + b"DICM"),
        ("a.tif", b"not a TIFF at all"),
    ],
)
def test_an_image_that_cannot_be_read_counts_as_one_and_says_what_to_do(
    tmp_path: Path, name: str, start: bytes
) -> None:
    (tmp_path / name).write_bytes(start + bytes(64))
    images, _ = list_folder(tmp_path, Counter())
    assert images == [tmp_path / name]
    with pytest.raises(UnreadableImage, match=r"it is (an?|not an) .*(convert it to|known format)"):
        read_image(images[0])


def test_a_raw_file_is_not_read_as_its_preview(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.nef", "TIFF")
    assert list_folder(tmp_path, Counter())[0] == [tmp_path / "a.nef"]
    with pytest.raises(UnreadableImage, match="it is a camera's raw file, which is not supported: convert it to JPEG"):
        read_image(tmp_path / "a.nef")


def test_content_decides_where_the_ending_does_not(tmp_path: Path) -> None:
    for name, kind in (("x.heic", "JPEG"), ("7f3a", "PNG"), ("y.dat", "WEBP"), ("z.TIFF", "TIFF"), ("u.txt", "BMP")):
        Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / name, kind)
    (tmp_path / "notes").write_text("BM is how a bitmap begins, P1 a portable one")
    ignored: Counter[str] = Counter()
    images, _ = list_folder(tmp_path, ignored)
    assert [image.name for image in images] == ["7f3a", "u.txt", "x.heic", "y.dat", "z.TIFF"]
    assert ignored == {"not an image (no ending)": 1}
    assert all(read_image(image).size == (8, 8) for image in images)


def test_a_class_of_photographs_from_a_telephone_stays_whole(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new("RGB", (4, 4), (i, len(name), 0)).save(tmp_path / name / f"{i}.jpg")
    for i in range(6):
        (tmp_path / f"dog/{i}.heic").write_bytes(HEIC + bytes([i]))
    loaded = load_dataset(tmp_path)
    assert loaded.samples.counts() == {"cat": 4, "dog": 10}
    assert loaded.ignored == {}
