"""Several labelled folders, each a domain, as one dataset."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.sources.several import join_domains
from headstart.errors import DataError


def domain(folder: Path, seed: int, *, classes: tuple[str, ...] = ("cat", "dog"), count: int = 15) -> Dataset:
    """Drawn noise in class folders."""
    random = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(random.integers(0, 255, (8, 8, 3), np.uint8)).save(folder / name / f"{number}.png")
    return load_dataset(folder)


def test_domains_become_one_dataset_that_knows_where_each_image_comes_from(tmp_path: Path) -> None:
    parts = {"day": domain(tmp_path / "day", 0), "night": domain(tmp_path / "night", 1)}
    dataset, origins = join_domains(parts)
    assert len(dataset.samples) == 60
    assert dataset.samples.counts() == {"cat": 30, "dog": 30}
    assert dataset.samples.names[0] == "day/cat/0.png"
    assert [origins[content] for content in dataset.samples.content] == ["day"] * 30 + ["night"] * 30
    assert dataset.samples.groups is None
    assert dataset.samples.splits is None


def test_domains_that_cannot_stand_side_by_side_are_refused(tmp_path: Path) -> None:
    day = domain(tmp_path / "day", 0)
    few = domain(tmp_path / "few", 1, count=14)
    with pytest.raises(DataError, match="a source domain needs at least 30 labelled images; few holds 28"):
        join_domains({"day": day, "few": few})
    other = domain(tmp_path / "other", 2, classes=("cat", "cow"))
    with pytest.raises(DataError, match=r"day and other differ in their classes \('cow', 'dog'\)"):
        join_domains({"day": day, "other": other})
    with pytest.raises(DataError, match="30 images of day are in copy too"):
        join_domains({"day": day, "copy": day})
