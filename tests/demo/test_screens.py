"""Generated screenshots: the same for a seed, varied, and told apart by their layout, not by colour or size."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headstart.backbones.opening import open_backbone
from headstart.data.sources.load import find_images, load_dataset
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.generate import KINDS, Screens, generate, screenshot
from headstart.demo.screens.themes import NAMES, mix, on, theme
from headstart.device import Device
from headstart.embed.extract import embed
from headstart.errors import DataError, OptionError
from headstart.records.arrays import Floats
from headstart.records.samples import Samples

FIVE = ("packet-capture", "port-scan", "siem-dashboard", "vulnerability-report", "web-proxy")
EACH = 12


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the mark."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "screens.json"
    }


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Screens:
    return generate(tmp_path_factory.mktemp("screens") / "out", EACH, seed=0)


@pytest.fixture(scope="module")
def samples(screens: Screens) -> Samples:
    return load_dataset(screens.known).samples


@pytest.fixture(scope="module")
def pictures(samples: Samples) -> list[Image.Image]:
    return [Image.open(image).convert("RGB") for image in samples.items]


def test_each_of_five_kinds_has_its_folder_and_the_unseen_ones_lie_beside(screens: Screens, samples: Samples) -> None:
    assert samples.counts() == dict.fromkeys(FIVE, EACH)
    assert tuple(KINDS) == FIVE
    assert len(find_images([str(screens.unseen)]).images) == EACH
    assert (screens.images, screens.drawn) == (72, 72)
    assert json.loads((screens.known.parent / "screens.json").read_text()) == {
        "version": 1,
        "per_class": 12,
        "seed": 0,
        "finished": True,
    }


def test_a_seed_gives_the_same_bytes_in_another_process_language_and_hash_seed() -> None:
    code = (
        "import hashlib, locale; locale.setlocale(locale.LC_ALL, '')\n"
        "from headstart.demo.screens.generate import screenshot\n"
        f"print([hashlib.sha256(screenshot(k, n, 5)).hexdigest() for k in {(*FIVE, 'unseen')!r} for n in (0, 3)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "LC_ALL": language},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed, language in (("1", "C"), ("2", "C.UTF-8"))
    }
    assert len(said) == 1


def test_other_seeds_and_numbers_give_other_pictures() -> None:
    for kind in (*FIVE, "unseen"):
        assert len({screenshot(kind, number, seed) for number in (0, 1) for seed in (0, 1)}) == 4


def test_sizes_shapes_and_brightness_vary_and_overlap(samples: Samples, pictures: list[Image.Image]) -> None:
    widths = {kind: [] for kind in FIVE}  # type: dict[str, list[int]]
    shades = {kind: [] for kind in FIVE}  # type: dict[str, list[float]]
    for label, picture in zip(samples.labels, pictures, strict=True):
        widths[samples.classes[label]].append(picture.width)
        shades[samples.classes[label]].append(float(np.asarray(picture.convert("L")).mean()))
    assert len({picture.size for picture in pictures}) > 50
    assert max(map(min, widths.values())) < 800 < 1000 < min(map(max, widths.values()))
    assert max(map(min, shades.values())) < 90 < 170 < min(map(max, shades.values()))
    assert {picture.width > picture.height for picture in pictures} == {True, False}


def out_of_fold(model: object, features: Floats, labels: np.ndarray) -> float:  # type: ignore[type-arg]
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    return float((cross_val_predict(model, features, labels, cv=folds) == labels).mean())


def test_a_linear_probe_tells_the_kinds_apart(samples: Samples) -> None:
    # The last stage: the layer behind it was made for photographs of ImageNet's classes and tells screens apart worse.
    found = embed(samples.items, open_backbone("lite0"), taps=["blocks.6"], device=Device("cpu", "f32", "a test"))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    assert out_of_fold(probe, found.last, samples.labels) > 0.9


def test_neither_mean_colour_nor_size_tells_them_apart(samples: Samples, pictures: list[Image.Image]) -> None:
    colours = np.array([np.asarray(picture).reshape(-1, 3).mean(axis=0) for picture in pictures])
    sizes = np.array([[*picture.size, picture.width / picture.height] for picture in pictures])
    assert out_of_fold(NearestCentroid(), colours, samples.labels) < 0.7
    assert out_of_fold(make_pipeline(StandardScaler(), NearestCentroid()), sizes, samples.labels) < 0.5


def test_a_killed_run_is_finished_with_the_pictures_it_would_have_had(tmp_path: Path) -> None:
    code = "import sys; from headstart.demo.screens.generate import generate; generate(sys.argv[1], 3, 1)"
    run = subprocess.Popen([sys.executable, "-c", code, tmp_path / "a"])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "a").rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait()
    mark = tmp_path / "a" / "screens.json"
    assert json.loads(mark.read_text())["finished"] is False
    finished = generate(tmp_path / "a", 3, seed=1)
    assert 0 < finished.drawn < finished.images == 18
    assert json.loads(mark.read_text())["finished"] is True
    generate(tmp_path / "b", 3, seed=1)
    hidden = {name for name in content(tmp_path / "a") if Path(name).name.startswith(".")}
    assert {n: c for n, c in content(tmp_path / "a").items() if n not in hidden} == content(tmp_path / "b")


def test_a_finished_folder_stays_and_what_was_taken_away_is_drawn_again(tmp_path: Path) -> None:
    generate(tmp_path, 1)
    before = content(tmp_path)
    assert generate(tmp_path, 1).drawn == 0
    (tmp_path / "known" / "port-scan" / "00000.jpg").unlink()
    assert generate(tmp_path, 1).drawn == 1
    assert content(tmp_path) == before


def strangers(root: Path) -> None:
    (root / "mine.txt").write_text("mine")


def another_seed(root: Path) -> None:
    (root / "screens.json").write_text('{"version": 1, "per_class": 2, "seed": 7, "finished": true}')


def a_broken_mark(root: Path) -> None:
    (root / "screens.json").write_text("[")


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (strangers, "is not empty and was not made by this generator: name a new or an empty folder"),
        (another_seed, r"other generated screenshots \(seed 7 instead of 0\): name a new folder"),
        (a_broken_mark, "was not made by this generator"),
    ],
)
def test_a_folder_that_holds_something_else_is_left_as_it_is(
    tmp_path: Path, there: Callable[[Path], None], message: str
) -> None:
    there(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message):
        generate(tmp_path, 2)
    assert sorted(tmp_path.rglob("*")) == before


def test_wrong_numbers_and_a_file_in_the_way_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="per_class must lie between 1 and 100000; found 0"):
        generate(tmp_path / "a", 0)
    with pytest.raises(OptionError, match="seed must be at least 0; found -1"):
        generate(tmp_path / "a", 1, seed=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file: name a folder for the screenshots"):
        generate(tmp_path / "file")
    assert not (tmp_path / "a").exists()


@settings(max_examples=12, deadline=None)
@given(st.sampled_from((*FIVE, "unseen")), st.integers(0, 99_999), st.integers(0, 2**31))
def test_every_number_and_seed_gives_a_readable_picture_with_something_on_it(kind: str, number: int, seed: int) -> None:
    with Image.open(io.BytesIO(screenshot(kind, number, seed))) as picture:
        assert picture.format == ("PNG" if number % 4 == 3 else "JPEG")
        assert 300 < min(picture.size) <= max(picture.size) < 1800
        assert np.asarray(picture.convert("L")).std() > 3


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_words_can_be_read_in_every_theme(name: str, random) -> None:  # type: ignore[no-untyped-def]
    made = theme(name, random)
    assert abs(luminance(made.text) - luminance(made.panel)) > 90
    assert abs(luminance(made.text) - luminance(made.page)) > 90
    for fill in (made.alarm, made.warning, made.caution, made.good, made.notice, made.accent):
        assert abs(luminance(on(fill)) - luminance(fill)) > 70


def luminance(colour: tuple[int, int, int]) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def test_a_pane_clips_what_is_drawn_in_it_and_words_end_within_their_width() -> None:
    import random

    image = Image.new("RGB", (300, 200), (1, 2, 3))
    canvas = Canvas(image, theme("light", random.Random(0)), 14, random.Random(0))
    with canvas.pane(Box(100, 50, 200, 100)) as pane:
        pane.rect(Box(-500, -500, 900, 900), (9, 9, 9))
    drawn = np.argwhere((np.asarray(image) == 9).all(axis=2))
    assert (drawn.min(axis=0).tolist(), drawn.max(axis=0).tolist()) == ([50, 100], [99, 199])
    assert canvas.text((0, 0), "a very long line that cannot fit", width=80) <= 80
    assert canvas.text((0, 0), "short", width=80) == canvas.width_of("short")
    assert mix((0, 0, 0), (10, 20, 30), 1.0) == (10, 20, 30)
