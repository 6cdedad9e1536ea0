"""Doubtful pictures are named with what is wrong; ordinary ones are left in peace."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.images.quality import QualityIssue, find_quality_issues
from headstart.data.sources.dataset import assemble_dataset


def doubts(*images: Image.Image | Path) -> tuple[QualityIssue, ...]:
    rows = [image if isinstance(image, Path) else np.asarray(image) for image in images]
    return find_quality_issues(
        make_thumbnails(assemble_dataset(rows, [str(i) for i in range(len(rows))], None), cache=False)
    )


@pytest.fixture(scope="module")
def photographs(cell_files: dict[str, list[Path]]) -> list[Path]:
    return cell_files["functional"]


def test_ordinary_photographs_raise_no_doubt(cell_files: dict[str, list[Path]]) -> None:
    assert doubts(*cell_files["functional"], *cell_files["defective"]) == ()


@pytest.mark.parametrize(
    ("grey", "kind", "sentence"),
    [
        (3, "near-black", "It is nearly black: its grey levels run from 3 to 3 of 0 to 255."),
        (250, "near-white", "It is nearly white: its grey levels run from 250 to 250 of 0 to 255."),
        (128, "even", "It shows nothing: its grey levels run from 128 to 128 of 0 to 255."),
    ],
)
def test_an_empty_picture_is_named(grey: int, kind: str, sentence: str, photographs: list[Path]) -> None:
    (found,) = doubts(*photographs[:5], Image.new("L", (300, 300), grey))
    assert (found.row, found.kind, found.sentence) == (5, kind, sentence)
    assert 0 <= found.severity <= 1


def test_a_tiny_picture_and_a_very_long_one_are_named(photographs: list[Path]) -> None:
    whole = Image.open(photographs[0])
    found = doubts(*photographs[:5], whole.resize((30, 40)), whole.crop((0, 100, 300, 150)))
    assert [(each.row, each.kind, each.sentence) for each in found if each.kind != "blurred"] == [
        (5, "tiny", "It has only 30 x 40 pixels; half of the images have a shorter side of 300 or more."),
        (6, "tiny", "It has only 300 x 50 pixels; half of the images have a shorter side of 300 or more."),
        (6, "long", "It is 6.0 times as long as it is wide (300 x 50 pixels): most of it is cut off or squeezed."),
    ]


def test_a_set_of_small_pictures_is_not_tiny() -> None:
    generator = np.random.default_rng(0)
    assert doubts(*(Image.fromarray(generator.integers(0, 255, (28, 28), dtype=np.uint8)) for _ in range(5))) == ()


def test_a_blurred_picture_stands_out_among_sharp_ones() -> None:
    generator = np.random.default_rng(0)
    sharp = [Image.fromarray(generator.integers(0, 255, (256, 256), dtype=np.uint8)) for _ in range(30)]
    (found,) = doubts(*sharp, sharp[0].filter(ImageFilter.GaussianBlur(4)))
    assert (found.row, found.kind) == (30, "blurred")
    assert found.sentence.startswith("It looks blurred: its fine detail is ")


def test_a_few_pictures_are_not_judged_for_blur() -> None:
    generator = np.random.default_rng(0)
    sharp = [Image.fromarray(generator.integers(0, 255, (256, 256), dtype=np.uint8)) for _ in range(10)]
    assert doubts(*sharp, sharp[0].filter(ImageFilter.GaussianBlur(4))) == ()


def test_nothing_is_said_of_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    assert doubts(tmp_path / "a.jpg") == ()
