"""The demo's photographs: 2,624 solar cells seen by electroluminescence, from the PyPI package `elpv-dataset`.

Buerhop-Lutz et al. 2018; Deitsch et al. 2019 and 2021. A cell counts as defective from a defect probability of 0.5 on.
The photographs are licensed CC BY-NC-SA 4.0 and come with the extra `demo` only.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.errors import MissingExtra

DEFECTIVE_FROM = 0.5


def solar_cells() -> Dataset:
    """The 2,624 cells as labelled images, 'functional' or 'defective'.

    Raises `MissingExtra` when the package `elpv-dataset` is not installed.
    """
    package = find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise MissingExtra("The demo on solar cells", "demo", "elpv-dataset")
    folder = Path(package.origin).parent / "data"
    with (folder / "labels.csv").open() as file:
        rows = [line.split() for line in file if line.strip()]
    labels = ["defective" if float(row[1]) >= DEFECTIVE_FROM else "functional" for row in rows]
    return load_dataset([folder / row[0] for row in rows], labels=labels)
