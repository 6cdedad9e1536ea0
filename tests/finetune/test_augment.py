"""Views of a picture: the same for the same seed, content and number, whoever draws them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.data.images.decode import hash_content
from headstart.data.images.spec import ImageSpec
from headstart.errors import OptionError, UnreadableImage
from headstart.finetune import augment
from headstart.finetune.augment import KINDS, augment_image, read_source, view

SPEC = ImageSpec(size=32, resize=36, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
AUGMENTED = KINDS[1:]


def seen(source: object, kind: str, number: int, *, seed: int = 0, content: str = "c") -> np.ndarray:
    return view(source, SPEC, kind, seed=seed, content=content, number=number)


@pytest.mark.parametrize("kind", KINDS)
def test_the_clean_view_is_what_decode_makes(kind: str, cell_files: dict[str, list[Path]]) -> None:
    for path in cell_files["defective"][:3]:
        assert np.array_equal(seen(path, kind, 0, content=hash_content(path)), SPEC.load(path))


def test_without_augmentation_every_view_is_the_clean_one(cell_files: dict[str, list[Path]]) -> None:
    path = cell_files["defective"][0]
    assert np.array_equal(seen(path, "none", 7), SPEC.load(path))


@pytest.mark.parametrize("kind", AUGMENTED)
def test_views_follow_from_seed_content_and_number_in_any_order_of_threads(
    kind: str, cell_files: dict[str, list[Path]]
) -> None:
    asked = [(path, number) for path in cell_files["functional"][:3] for number in range(1, 7)]

    def one(pair: tuple[Path, int]) -> bytes:
        return seen(pair[0], kind, pair[1], content=hash_content(pair[0])).tobytes()

    alone = [one(pair) for pair in asked]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, reversed(asked))) == alone[::-1]
    assert len(set(alone)) == len(asked)
    path = asked[0][0]
    others = [seen(path, kind, 1, seed=1), seen(path, kind, 1, content="d")]
    assert len({found.tobytes() for found in (seen(path, kind, 1), *others)}) == 3


def test_a_view_has_the_pixels_it_always_had() -> None:
    """A cache on one machine and the views of another must agree; only uniform numbers are drawn for that reason."""
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    means = {kind: [float(seen(ramp, kind, n).mean()) for n in (1, 2, 3)] for kind in AUGMENTED}
    assert means["light"] == pytest.approx([58.6, 65.8, 58.8], abs=0.5)
    assert means["medium"] == pytest.approx([69.3, 68.5, 67.6], abs=0.5)
    assert means["strong"] == pytest.approx([80.0, 98.0, 81.2], abs=0.5)


@pytest.mark.parametrize("kind", AUGMENTED)
@pytest.mark.parametrize(
    "picture",
    [
        np.full((1, 1), 200, np.uint8),
        np.full((2, 700, 3), 90, np.uint8),
        np.full((900, 3), 0.5, np.float32),
        np.full((40, 40), 30_000, np.uint16),
        np.full((30, 50, 4), 255, np.uint8),
        Image.new("CMYK", (60, 40), (10, 20, 30, 40)),
        Image.new("1", (33, 21)),
        Image.new("P", (20, 31)),
    ],
    ids=["one pixel", "strip", "column", "16 bit", "opacity", "CMYK", "black and white", "palette"],
)
def test_strange_pictures_have_views_as_they_have_a_clean_one(kind: str, picture: object) -> None:
    for number in range(12):
        found = seen(picture, kind, number)
        assert (found.shape, found.dtype) == ((32, 32, 3), np.uint8)


def test_a_plain_picture_keeps_its_colour_when_it_is_only_cut() -> None:
    plain = np.full((50, 80, 3), (10, 120, 240), np.uint8)
    for number in range(1, 20):
        assert np.abs(seen(plain, "light", number).astype(int) - (10, 120, 240)).max() <= 1


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 10_000))
@settings(max_examples=50, deadline=None)
def test_a_cut_keeps_at_least_half_of_a_picture_of_common_proportions(width: int, height: int, number: int) -> None:
    draw = np.random.default_rng(number)
    left, top, right, bottom = augment._box((width, height), 0.5, draw)
    assert 0 <= left < right <= width + 1e-9
    assert 0 <= top < bottom <= height + 1e-9
    if 3 / 4 <= width / height <= 4 / 3:
        assert (right - left) * (bottom - top) >= 0.5 * width * height * (1 - 1e-9)


def test_half_of_the_cuts_are_mirrored() -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    mirrored = sum(
        int(found[:, 0].mean() > found[:, -1].mean()) for found in (seen(ramp, "light", n) for n in range(1, 201))
    )
    assert 80 <= mirrored <= 120


def test_random_erasing_covers_a_part_of_every_other_strong_view() -> None:
    plain = np.full((64, 64), 100, np.uint8)
    noisy = [len(np.unique(seen(plain, "strong", n))) > 60 for n in range(1, 201)]
    assert 80 <= sum(noisy) <= 120


def test_the_exif_turn_is_applied_once(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.tile(np.arange(96, dtype=np.uint8) * 2, (96, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp.save(tmp_path / "turned.png", exif=exif)
    upright = np.asarray(ramp.transpose(Image.Transpose.ROTATE_270))
    for number in range(1, 5):
        assert np.array_equal(seen(tmp_path / "turned.png", "light", number), seen(upright, "light", number))


def test_many_views_can_be_made_of_one_reading(cell_files: dict[str, list[Path]]) -> None:
    path = cell_files["defective"][1]
    picture = read_source(path, SPEC, "strong")
    for number in range(1, 6):
        once = augment_image(picture, SPEC, "strong", seed=3, content="c", number=number)
        assert np.array_equal(once, seen(path, "strong", number, seed=3))


def test_wrong_kinds_and_unreadable_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"augmentation must be one of 'none', 'light', 'medium', 'strong'; found 'ligth'"
    ):
        seen(np.zeros((4, 4), np.uint8), "ligth", 1)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(UnreadableImage):
        seen(tmp_path / "a.jpg", "light", 1)
