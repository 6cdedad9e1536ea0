"""What tests share: real images, saved models, a command line in this process, and a cache that is not the user's.

Session fixtures are made once a process (once a worker under pytest-xdist) and may only be read; `cells`, `watched` and
`saved_model` are compared with what they were when the session ends.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before NumPy is imported: a worker has one core
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

os.environ.pop("COLUMNS", None)  # output is whole lines in a pipe, unless a test says how wide its terminal is

import contextlib
import io
import shutil
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.device import Device, threads
from headstart.fingerprint import hash_file
from headstart.model.model import Model

settings.register_profile("suite", deadline=None)  # a busy machine is no fault
settings.load_profile("suite")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a worker for each processor that this process may use, a container's quota counted."""
    with mock.patch.dict(os.environ):
        os.environ.pop("OMP_NUM_THREADS", None)
        return threads()


# The command line -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finished:
    """What a command line printed and its exit code, under the names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def headstart(*words: object, cwd: Path | None = None, **environment: str) -> Finished:
    """Run `headstart WORDS` in this process; arguments, folder, environment and streams are put back afterwards.

    A fault ends with exit code 1 and its traceback on standard error, as in a process of its own. Warnings are errors
    here, as everywhere in the tests.
    """
    from headstart.cli.main import main

    arguments = ["headstart", *(os.fsdecode(os.fsencode(str(word))) for word in words)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.object(sys, "argv", arguments),
        mock.patch.object(sys, "stdin", io.StringIO()),
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = _exit_code(main)
    printed, said = (stream.buffer.getvalue().decode().replace("\r\n", "\n") for stream in (out, err))  # type: ignore[attr-defined]
    return Finished(code, printed, said)


def _exit_code(main: object) -> int:
    try:
        main()  # type: ignore[operator]
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def refused(*words: object, cwd: Path | None = None) -> str:
    """What is said when the user has to change something: exit code 2, a sentence, no traceback."""
    done = headstart(*words, cwd=cwd)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr


# Folders and saved models: to be read only ----------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, str]:
    """The files under a folder with their hashes."""
    return {str(path.relative_to(folder)): hash_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Fails at the end when something under the folder has changed."""
    before = contents(folder)
    yield folder
    assert contents(folder) == before, f"a test wrote into {folder}, which others read"


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
        name: [samples.items[i] for i in (samples.labels == samples.classes.index(name)).nonzero()[0][:count]]
        for name, count in wanted.items()
    }


@pytest.fixture(scope="session")
def cells(cell_files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The photographs as a folder of class folders."""
    root = tmp_path_factory.mktemp("cells")
    for name, files in cell_files.items():
        (root / name).mkdir()
        for file in files:
            shutil.copy(file, root / name / file.name)
    with read_only(root):
        yield root


@pytest.fixture(scope="session")
def trained(cells: Path) -> Model:
    """What training on `cells` gave: lite0, the head `ridge`, one repeat."""
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    return train(cells, options=Options(backbones=("efficientnet_lite0",), heads=("ridge",), repeats=1))


@pytest.fixture(scope="session")
def saved_model(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of `trained`."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    trained.save(folder)
    with read_only(folder):
        yield folder


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A saved model of photographs and their negatives, and batches for it.

    model; train (50 plain, 50 negative), new (20 and 20 of the same kind, no labels needed), negatives (20 of the new
    ones: other shares alone) and closer (20 photographs of another kind: a corner, enlarged).
    """
    from PIL import ImageOps

    from headstart.demo.solar import solar_cells
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    root = tmp_path_factory.mktemp("watched")
    files = solar_cells().samples.items
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
    with read_only(root):
        yield root


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
