"""`train` names images whose label or quality is doubtful, and leaves none out for it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.sources.in_memory import unlabelled_samples
from headstart.demo.screens.generate import screenshot
from headstart.model.details import suspect_lines
from headstart.model.model import Model
from headstart.model.summary import summary
from headstart.pipeline.options import Options
from headstart.verbs.audit.suspects import quality_issues
from headstart.verbs.train.train import train

QUICK = Options(backbones=("efficientnet_lite0",), heads=("ridge",), repeats=1)
KINDS = ("packet-capture", "port-scan", "web-proxy")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[str]]:
    """Screens of three kinds, 16 of each; one labelled wrongly, one nearly black."""
    folder = tmp_path_factory.mktemp("doubts") / "screens"
    files = []
    for kind in KINDS:
        (folder / "known" / kind).mkdir(parents=True)
        for number in range(16):
            files.append(folder / "known" / kind / f"{number:05d}.{'png' if number % 4 == 3 else 'jpg'}")
            files[-1].write_bytes(screenshot(kind, number, 0))
    labels = [file.parent.name for file in files]
    labels[20] = "web-proxy"
    dark = folder / "dark.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 20, (300, 400, 3)).astype(np.uint8)).save(dark)
    return [*files, dark], [*labels, "port-scan"]


@pytest.fixture(scope="module")
def trained(data: tuple[list[Path], list[str]]) -> Model:
    return train(*data, options=QUICK)


def test_a_wrong_label_and_a_black_picture_are_named(trained: Model, data: tuple[list[Path], list[str]]) -> None:
    found = trained.manifest()["suspects"]
    first = found["label issue"]["examples"][0]
    assert first["image"] == "known/port-scan/00004.jpg"
    assert first["sentence"].startswith("It is labelled 'web-proxy'; a model that has not seen it says 'port-scan' (")
    assert found["label issue"]["count"] <= 3
    assert found["near-black"]["count"] == 1
    assert found["near-black"]["examples"][0]["image"] == "dark.png"
    assert trained.data.images == len(data[0])


def test_the_summary_says_so_and_how_to_see_them(trained: Model) -> None:
    answer = " ".join(trained.summary().split())
    assert "headstart audit DATA --html audit.html" in answer
    assert " label issue" in answer
    said = summary(trained.manifest(), details=True, width=None)
    assert "label issue, such as known/port-scan/00004.jpg: It is labelled 'web-proxy'; a model that " in said
    assert "           1 near-black, such as " in said
    assert (
        "nothing was left out for it; 'headstart audit DATA --html audit.html' looks for such images and shows" in said
    )


def test_nothing_doubtful_takes_no_line() -> None:
    pictures = [np.random.default_rng(i).integers(0, 256, (64, 64, 3)).astype(np.uint8) for i in range(4)]
    seen = make_thumbnails(unlabelled_samples(pictures), cache=False)
    assert quality_issues(seen, ["a", "b", "c", "d"]) == ()
    assert suspect_lines({"suspects": {}}) == []
    assert suspect_lines({}) == []
