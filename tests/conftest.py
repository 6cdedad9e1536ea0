"""Real photographs for the tests, and a cache folder that is not the user's."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.device import Device


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every test run has a cache of its own, also in the processes that it starts."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("HEADSTART_CACHE")
    os.environ["HEADSTART_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["HEADSTART_CACHE"]
    else:
        os.environ["HEADSTART_CACHE"] = before


@pytest.fixture(scope="session")
def cell_files() -> dict[str, list[Path]]:
    """Photographs of solar cells by class: 30 functional, 20 defective ones with certain labels."""
    from headstart.demo.solar import solar_cells

    samples = solar_cells().samples
    wanted = {"functional": 30, "defective": 20}
    return {
        name: [samples.images[i] for i in (samples.labels == samples.classes.index(name)).nonzero()[0][:count]]
        for name, count in wanted.items()
    }


@pytest.fixture(scope="session")
def cells(cell_files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs as a folder of class folders. Do not write into it."""
    root = tmp_path_factory.mktemp("cells")
    for name, files in cell_files.items():
        (root / name).mkdir()
        for file in files:
            shutil.copy(file, root / name / file.name)
    return root


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of photographs and their negatives, and batches for it. Do not write into it.

    model; train (50 plain, 50 negative), new (20 and 20 of the same kind, no labels needed), negatives (20 of the new
    ones: other shares alone) and closer (20 photographs of another kind: a corner, enlarged).
    """
    from PIL import ImageOps

    from headstart.demo.solar import solar_cells
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    root = tmp_path_factory.mktemp("watched")
    files = solar_cells().samples.images
    order = np.random.default_rng(0).permutation(len(files))
    for place, row in enumerate(order[:160]):
        with Image.open(files[row]) as found:
            picture = found.convert("L")
        kind = "negative" if place % 2 else "plain"
        picture = ImageOps.invert(picture) if place % 2 else picture
        where = [f"train/{kind}"] if place < 100 else ["new"] if place < 140 else ["closer"]
        where += ["negatives"] if 100 <= place < 140 and place % 2 else []
        picture = picture.crop((0, 0, 75, 75)).resize((300, 300)) if place >= 140 else picture
        for folder in where:
            (root / folder).mkdir(parents=True, exist_ok=True)
            picture.save(root / folder / f"{kind}-{place}.png")
    train(root / "train", options=Options(backbones=("lite0",), heads=("ridge",), repeats=1)).save(root / "model")
    return root


CPU = Device("cpu", "f32", "the tests compare numbers")


@pytest.fixture(scope="session")
def lite0() -> Backbone:
    return open_backbone("lite0")


@pytest.fixture(scope="session")
def cpu() -> Device:
    return CPU


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six JPEGs of different sizes and contents."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    paths = []
    for i in range(6):
        small = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        path = folder / f"{i}.jpg"
        small.resize((230 + 20 * i, 260), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths
