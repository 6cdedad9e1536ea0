"""Real photographs for the tests, and a cache folder that is not the user's."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


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
    from headstart.data.solar import solar_cells

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
