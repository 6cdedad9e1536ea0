"""Photographs of one thing stay together in training and in the audit, and the user can say otherwise."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from tests.conftest import headstart as command_line

import headstart
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, OptionError
from headstart.pipeline.series import group_by

THINGS, TIMES = 6, 6


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six solar cells of each of two kinds, six photographs each: moved a little, otherwise lit; names tell nothing."""
    from headstart.demo.solar import solar_cells

    root, samples = tmp_path_factory.mktemp("parts"), solar_cells().samples
    random, number = np.random.default_rng(0), 0
    for label, name in enumerate(("round", "square")):
        for row in np.flatnonzero(samples.labels == label)[:: 40 + label][:THINGS]:
            with Image.open(samples.items[row]) as cell:
                whole = cell.convert("RGB")
            whole = whole.crop((0, 0, 150, 300)).resize((300, 300)) if label else whole
            whole = texture(whole, int(row))
            for _ in range(TIMES):
                left, top = random.integers(0, 18, 2)
                shot = whole.crop((left, top, left + 280, top + 280)).resize((200, 200))
                shot = ImageEnhance.Brightness(shot).enhance(float(random.uniform(0.75, 1.25)))
                (root / name).mkdir(exist_ok=True)
                number += 1
                shot.save(root / name / f"{(number * 37) % 101:03d}.png")
    return root


def texture(image: Image.Image, seed: int) -> Image.Image:
    """The image under coarse coloured blotches of its own, so that one thing differs from the next."""
    blotches = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), np.uint8)
    return Image.blend(image, Image.fromarray(blotches).resize(image.size, Image.Resampling.BICUBIC), 0.7)


OPTIONS = {"backbones": "lite0", "heads": "ridge", "repeats": 1}


def test_a_series_is_held_together_and_told(parts: Path) -> None:
    model = headstart.train(parts, **OPTIONS)
    assert model.data.series == 2 * THINGS
    assert model.notes[0].startswith("72 of 72 images look like 12 series of about 6, one thing photographed several")
    assert "right on images of new things" in model.summary()
    assert "72 images look like 12 series, one thing each" in " ".join(model.summary().split())


def test_none_lets_every_image_stand_alone(parts: Path) -> None:
    model = headstart.train(parts, group_by="none", **OPTIONS)
    assert model.data.series == 0
    assert "right on new images like these" in " ".join(model.summary().split())


def test_the_audit_names_what_shows_one_thing(parts: Path, tmp_path: Path) -> None:
    found = headstart.audit(parts)
    series = found.of("series")
    assert len(series) == 2 * THINGS * (TIMES - 1)
    assert series[0].proposal == "group"
    assert "It seems to show the same thing as" in series[0].sentence
    found.write_plan(tmp_path / "plan.csv", duplicates=True)
    model = headstart.train(parts, exclude=str(tmp_path / "plan.csv"), **OPTIONS)
    assert model.estimate.value == pytest.approx(headstart.train(parts, **OPTIONS).estimate.value, abs=0.05)


def test_a_rule_groups_by_name_or_folder(parts: Path) -> None:
    dataset = load_dataset(parts)
    grouped = group_by(dataset, r"name:^\d")
    assert grouped.samples.groups is not None
    assert len(set(grouped.samples.groups.tolist())) == 2
    assert grouped.notes[-1] == r"72 images are 2 groups by name:^\d; folds hold each together."
    assert group_by(dataset, "auto") is dataset


def test_a_rule_that_fits_nothing_and_a_word_that_is_no_rule_are_refused(parts: Path) -> None:
    with pytest.raises(DataError, match="--group-by exif-time tells nothing of any image"):
        headstart.train(parts, group_by="exif-time", **OPTIONS)
    with pytest.raises(OptionError, match="group_by must be auto, none, folder, exif-time or name:REGEX; found 'x'"):
        headstart.train(parts, group_by="x", **OPTIONS)
    run = command_line("train", parts, "-o", parts.parent / "m", "--group-by", "name:(")
    assert (run.returncode, "is no regular expression" in run.stderr) == (2, True)


def test_groups_that_the_data_name_are_not_guessed_over(parts: Path) -> None:
    files = sorted(parts.rglob("*.png"))
    labels = [file.parent.name for file in files]
    model = headstart.train(files, labels, groups=[str(i) for i in range(len(files))], **OPTIONS)
    assert model.data.series == 0
