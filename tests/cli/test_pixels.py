"""Long images and odd pixels from the command line: what is chosen and left out is said once, with counts."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import headstart

QUICK = ("--heads", "ridge", "--backbones", "lite0", "--repeats", "1", "--folds", "3")


@pytest.fixture(scope="module")
def long_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strips of 800 x 100 pixels whose class shows at the left."""
    folder, random = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    for name, colour in (("red", (220, 30, 30)), ("blue", (30, 30, 220))):
        (folder / name).mkdir()
        for i in range(12):
            noise = random.integers(90, 160, (10, 80, 3)).astype(np.uint8)
            strip = np.asarray(Image.fromarray(noise).resize((800, 100))).copy()
            strip[:, : 150 + int(random.integers(0, 50))] = colour
            Image.fromarray(strip).save(folder / name / f"{i}.png")
    return folder


def test_long_images_are_squeezed_because_that_measured_better_and_predicted_so(
    long_images: Path, tmp_path: Path
) -> None:
    done = headstart("train", long_images, "-o", tmp_path / "model", *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Images are long (median 8:1): squeezed whole to a square, because that measured") == 1
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    assert [part["spec"]["fit"] for part in manifest["backbones"]] == ["squeeze"]
    assert manifest["scores"]["uncorrected"] == 1.0
    predicted = headstart("predict", tmp_path / "model", long_images / "red", "--json")
    assert {row["class"] for row in json.loads(predicted.stdout)} == {"red"}


def test_a_way_that_is_named_is_taken(long_images: Path, tmp_path: Path) -> None:
    done = headstart("train", long_images, "-o", tmp_path / "model", *QUICK, "--fit", "crop")
    assert done.returncode == 0, done.stderr
    assert "Images are long" not in done.stderr
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    assert manifest["backbones"][0]["spec"]["fit"] == "crop"
    assert manifest["scores"]["uncorrected"] < 0.8


def test_pages_and_bands_are_said_once_by_train_audit_evaluate_and_predict(
    cells: Path, saved_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    for name in ("defective", "functional"):
        (folder / name).mkdir(parents=True)
        for i, path in enumerate(sorted((cells / name).iterdir())[:8]):
            with Image.open(path) as image:
                page = image.convert("RGB")
                page.save(folder / name / f"{i}.tif", save_all=True, append_images=[page] if i < 2 else [])
    sentence = "4 images hold several pages or frames: the first was read."
    commands = (
        ("train", folder, "-o", tmp_path / "model", *QUICK),
        ("audit", folder),
        ("evaluate", saved_model, folder),
        ("predict", saved_model, folder),
    )
    for command in commands:
        done = headstart(*command)
        assert done.returncode == 0, done.stderr
        text = " ".join((done.stdout + done.stderr).split())
        assert text.count(sentence) == 1, command
