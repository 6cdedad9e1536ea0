"""Small pictures and the packaged backbone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.backbones.graph import Backbone, open_backbone
from headstart.device import Device

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
