"""What the benchmarks share: the test data and its sets, options of the command line, Markdown tables.

A set is a folder of class folders under --data, or `elpv`: the solar cells of the package elpv-dataset. Nothing is
measured here, and nothing heavy is imported before it is needed: some benchmarks time their own start.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.records.samples import Samples

DATA = Path(os.environ.get("HEADSTART_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
"""Where the test data lie, unless --data says otherwise."""
SETS = (
    *("trashnet", "corn_leaf", "rice_leaf", "charts"),
    *("pacs/photo", "pacs/art_painting", "pacs/cartoon", "pacs/sketch"),
    "elpv",
)


def arguments(doc: str, *, data: Path | None = DATA) -> argparse.ArgumentParser:
    """A parser whose help is the benchmark's own text; with --data, unless it takes none."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if data is not None:
        parser.add_argument("--data", type=Path, default=data, help=f"folder of test data (default: {data})")
    return parser


def words(text: str) -> list[str]:
    """A comma-separated option."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """A comma-separated option of whole numbers."""
    return [int(word) for word in words(text)]


def missing(name: str, root: Path) -> str:
    """Why a set cannot be measured; empty where it can."""
    return "" if name == "elpv" or (root / name).is_dir() else f"{root / name} is not there"


def samples_of(name: str, root: Path) -> Samples:
    """The images of one set, copies included."""
    if name == "elpv":
        from headstart.demo.solar import solar_cells

        return solar_cells().samples
    from headstart.data.sources.load import load_dataset

    return load_dataset(root / name).samples


def heading(*titles: str) -> str:
    """The first two lines of a Markdown table."""
    return f"{row(*titles)}\n|{'---|' * len(titles)}"


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def percent(share: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * float(share):.1f} %"


def machine() -> str:
    """On what is measured: precision with its reason, threads, and the load where the system tells it."""
    from headstart.device import choose_device, threads

    device = choose_device("cpu")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"precision {device.precision} ({device.reason}), {threads()} threads{load}"
