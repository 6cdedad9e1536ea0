"""Near copies of real photographs are found however they were made; different photographs stay apart."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from headstart.data.duplicates import near as near_duplicates
from headstart.data.duplicates import thumbnail_cache
from headstart.data.duplicates.alignment import ORIENTATIONS, likeness, rotate
from headstart.data.duplicates.near import find_near_duplicates, merge_groups, near_groups, search_samples
from headstart.data.duplicates.thumbnails import make_thumbnail, make_thumbnails
from headstart.data.sources.dataset import assemble_dataset
from headstart.records.samples import Samples
from headstart.records.targets import Classes

Change = Callable[[Image.Image], Image.Image]


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


def resized(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 4 // 5, image.height * 4 // 5))


def cropped(image: Image.Image) -> Image.Image:
    return image.crop((9, 4, image.width - 5, image.height - 10))


CHANGES: dict[str, Change] = {
    "rotated": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "upside down": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "recompressed": recompressed,
    "resized": resized,
    "cropped": cropped,
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "rotated and cropped": lambda image: cropped(image.transpose(Image.Transpose.ROTATE_270)),
}


@pytest.fixture(scope="module")
def photographs(cell_files: dict[str, list[Path]]) -> list[Path]:
    """Cells of which no two look alike: neighbours cut from one block of silicon do, and are left out."""
    files = cell_files["defective"]
    apart = find_near_duplicates(np.stack([make_thumbnail(file)[0] for file in files]))
    alike = {row for group in apart.groups for row in group[1:]}
    return [file for row, file in enumerate(files) if row not in alike]


def samples(images: list[Path | Image.Image], *, groups: list[str] | None = None) -> Samples:
    names = [f"image {i}" for i in range(len(images))]
    return assemble_dataset(
        [image if isinstance(image, Path) else np.asarray(image) for image in images], names, None, groups=groups
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_shares_its_group_with_the_photograph_alone(name: str, photographs: list[Path]) -> None:
    copy = CHANGES[name](Image.open(photographs[3]))
    groups = near_groups(samples([*photographs, copy]), cache=False)
    assert np.flatnonzero(groups == groups[-1]).tolist() == [3, len(photographs)]


def test_two_different_photographs_are_not_merged(photographs: list[Path]) -> None:
    assert near_groups(samples(photographs[:2]), cache=False).tolist() == [0, 1]


def test_all_orientations_of_a_photograph_are_one_group(photographs: list[Path]) -> None:
    picture = make_thumbnail(photographs[0])[0]
    others = [make_thumbnail(path)[0] for path in photographs[1:5]]
    found = find_near_duplicates(np.stack([*others, *(rotate(picture, o) for o in range(ORIENTATIONS))]))
    assert [sorted(group) for group in found.groups] == [[4, 5, 6, 7, 8, 9, 10, 11]]
    assert min(found.likeness[0]) > 0.99


def test_the_eight_orientations_are_different_ones() -> None:
    picture = np.arange(9).reshape(3, 3)
    assert len({rotate(picture, o).tobytes() for o in range(ORIENTATIONS)}) == 8


def test_likeness_is_one_for_a_picture_and_itself_and_small_for_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 64), dtype=np.uint8)
    assert likeness(noise[:1], noise[:1])[0] == pytest.approx(1, abs=1e-5)
    assert abs(likeness(noise[:1], noise[1:])[0]) < 0.2


def test_blank_pictures_are_not_copies_of_each_other() -> None:
    blank = np.full((5, 64, 64), 255, np.uint8)
    assert find_near_duplicates(blank).groups == ()


def test_no_pictures_and_one_picture_have_no_copies() -> None:
    assert find_near_duplicates(np.zeros((0, 64, 64), np.uint8)).groups == ()
    assert find_near_duplicates(np.random.default_rng(0).integers(0, 255, (1, 64, 64), dtype=np.uint8)).groups == ()


def test_what_is_alike_by_nature_must_stand_out() -> None:
    """Six pictures share a template and differ in one block each; two of them are copies."""
    generator = np.random.default_rng(0)
    template = generator.integers(0, 255, (64, 64))
    pictures = [template + np.zeros_like(template) for _ in range(6)]
    for i, picture in enumerate(pictures):
        picture[8 * i : 8 * i + 8, 8:24] = generator.integers(0, 255, (8, 16))
    copy = np.clip(pictures[2] + generator.normal(0, 2, template.shape), 0, 255)
    found = find_near_duplicates(np.stack([*pictures, copy]).astype(np.uint8))
    assert found.groups == ((2, 6),)


def test_groups_that_the_user_named_are_never_parted() -> None:
    images = [np.zeros((4, 4), np.uint8) + i for i in range(5)]
    given = assemble_dataset(images, list("abcde"), None, groups=["x", "x", "", "", "y"])
    assert merge_groups(given, ((1, 2),)).tolist() == [0, 0, 0, 2, 1]
    assert merge_groups(replace(given, groups=None), ((1, 2), (0, 4))).tolist() == [0, 1, 1, 2, 0]


@settings(deadline=None)
@drawn(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.data())
def test_rows_share_a_number_exactly_when_a_group_or_copies_lead_from_one_to_the_other(
    groups: list[int], data: st.DataObject
) -> None:
    n = len(groups)
    pair = st.lists(st.integers(0, n - 1), min_size=2, max_size=3, unique=True).map(tuple)
    near = tuple(data.draw(st.lists(pair, max_size=4)))
    rows = Samples(
        items=tuple(np.zeros((1, 1), np.uint8) for _ in groups),
        names=tuple(map(str, range(n))),
        content=tuple(map(str, range(n))),
        target=Classes(np.zeros(n, np.int64), ("cat",)),
        groups=np.array(groups),
    )
    numbers = merge_groups(rows, near)
    reach = np.equal.outer(groups, groups)
    for each in near:
        reach[np.ix_(each, each)] = True
    for _ in range(n):
        reach = reach @ reach
    assert np.array_equal(np.equal.outer(numbers, numbers), reach)


def test_an_unreadable_image_is_alone_and_named(photographs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    given = samples([photographs[0], tmp_path / "broken.jpg", photographs[0]])
    assert near_groups(given, cache=False).tolist() == [0, 1, 0]
    failure = make_thumbnails(given, cache=False).failures[0]
    assert (failure.name, failure.reason) == (
        "image 1",
        "it is not an image in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)",
    )


def test_the_second_run_neither_decodes_nor_compares(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    given = samples([*photographs, photographs[2]])
    first = search_samples(given)
    monkeypatch.setattr(near_duplicates, "make_thumbnails", None)
    again = search_samples(given)
    assert (again.groups, again.likeness) == (first.groups, first.likeness) == (((2, len(photographs)),), ((1.0, 1.0),))
    monkeypatch.undo()
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    monkeypatch.setattr("headstart.data.duplicates.thumbnails.make_thumbnail", None)
    assert len(make_thumbnails(given).rows) == len(given)


@pytest.mark.parametrize("damage", [b"", b"not a database", b"SQLite format 3\x00 and then nothing"])
def test_a_damaged_cache_is_made_anew(
    damage: bytes, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    given = samples(photographs[:3])
    fresh = make_thumbnails(given)
    thumbnail_cache.open_thumbnail_cache().path.write_bytes(damage)
    foreign = json.dumps({"groups": [[0, 99]], "likeness": [[1.0, 1.0]]}).encode()
    near_duplicates._results().put(near_duplicates._result_name(given.content), foreign)
    assert np.array_equal(make_thumbnails(given).grey, fresh.grey)
    make_thumbnails(given)
    assert len(thumbnail_cache.find_thumbnails(given.content)) == 3
    assert near_groups(given).tolist() == [0, 1, 2]


def test_a_thumbnail_whose_bytes_have_changed_is_not_taken(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    given = samples(photographs[:2])
    make_thumbnails(given)
    with sqlite3.connect(thumbnail_cache.open_thumbnail_cache().path) as connection:
        query = "UPDATE entries SET checksum = checksum + 1 WHERE key = ?"
        assert connection.execute(query, [given.content[0].encode()]).rowcount == 1
    connection.close()
    assert list(thumbnail_cache.find_thumbnails(given.content)) == [given.content[1]]


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_work(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    assert near_groups(samples([photographs[0], photographs[0]])).tolist() == [0, 0]
