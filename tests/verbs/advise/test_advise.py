"""The prior on real photographs: position, signals, forecasts; and what it does where torch is not installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.opening import open_backbone
from headstart.backbones.weights import read_weights
from headstart.data.sampling import random_rows_of_every_class
from headstart.errors import BackboneError, DataError, MissingExtra, OptionError
from headstart.pipeline.options import Options
from headstart.verbs.advise import advise
from headstart.verbs.advise.forecast import Forecast, forecast_fine_tunes, forecast_heads


@pytest.fixture
def no_fine_tunes(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise MissingExtra("Training inside a backbone", "finetune", "torch")

    monkeypatch.setattr(advise, "forecast_fine_tunes", missing)


def test_solar_cells_are_placed_by_what_was_measured(cells: Path, no_fine_tunes: None) -> None:
    found = advise.advise(cells)
    assert (found.position.counts, found.position.smallest, found.position.median) == ((20, 30), 20, 20)
    assert found.looked_at == 50
    assert [signal.name for signal in found.similarity.signals] == [
        "confidence of the ImageNet head",
        "kinds the ImageNet head tells apart",
        "distance to ImageNet's statistics",
        "last layer against earlier ones",
    ]
    assert found.similarity.signals[2].verdict == "different"  # grey cells fill the whole image
    assert [each.strategy for each in found.forecasts] == ["probe", "ridge", "svm", "mlp"]
    assert "pip install 'headstart[finetune]'" in found.without


def test_the_heads_answers_are_those_of_the_graph(cells: Path) -> None:
    from headstart.backbones.imagenet import with_head
    from headstart.embed.extract import embed

    lite0 = open_backbone("lite0")
    files = sorted((cells / "defective").iterdir())[:3]
    weight, bias = read_weights(lite0, ["classifier.weight", "classifier.bias"])
    ours = embed(files, lite0).last @ weight.T + bias
    graphs = embed(files, with_head(lite0)).taps["logits"]
    np.testing.assert_allclose(ours, graphs, atol=0.05)


def test_the_statistics_are_those_of_the_tap_that_they_are_compared_with() -> None:
    lite0 = open_backbone("lite0")
    mean, spread = read_weights(lite0, [f"{advise._NORM}.bias", f"{advise._NORM}.weight"])
    assert mean.shape == spread.shape == (lite0.tap(advise._TAP).width,)
    with pytest.raises(BackboneError, match=r"no weights called 'norm\.bias'"):
        read_weights(lite0, ["norm.bias"])


def test_fine_tunes_are_timed_and_deeper_ones_cost_more_a_step(cells: Path) -> None:
    pytest.importorskip("torch")
    from headstart.data.sources.load import load_dataset
    from headstart.device import choose_device
    from headstart.embed.extract import embed

    lite0, samples = open_backbone("lite0"), load_dataset(cells).samples.take(range(0, 50, 5))
    X = embed(samples.items, lite0).last
    last, full = forecast_fine_tunes(
        lite0, X, samples, ("last-1", "full"), images=50, folds=5, device=choose_device("cpu")
    )
    assert (last.strategy, last.models, last.measured) == ("last-1", 6, True)
    assert last.steps == full.steps == 5 * 20 * 4 + 20 * 5  # 40 images in batches of 10; all 50 in batches of 12
    assert full.step > last.step > 0
    assert full.once == 0 < last.once
    assert last.seconds == pytest.approx(last.once + last.steps * last.step)


def test_an_impossible_strategy_is_refused_as_in_training(cells: Path) -> None:
    pytest.importorskip("torch")
    from headstart.data.sources.load import load_dataset
    from headstart.device import choose_device

    samples = load_dataset(cells).samples.take(range(4))
    X = np.zeros((4, 1280), np.float32)
    with pytest.raises(OptionError, match="choose at most last-8"):
        forecast_fine_tunes(
            open_backbone("lite0"), X, samples, ("last-9",), images=50, folds=5, device=choose_device("cpu")
        )


def test_a_test_split_takes_no_part(cell_files: dict[str, list[Path]], tmp_path: Path, no_fine_tunes: None) -> None:
    rows = [
        f"{file},{name},{'test' if i < 5 else 'train'}"
        for name, files in cell_files.items()
        for i, file in enumerate(files)
    ]
    table = tmp_path / "cells.csv"
    table.write_text("\n".join(["path,label,split", *rows]))
    assert advise.advise(table).position.counts == (15, 25)


def test_of_many_images_some_are_looked_at_and_some_of_each_class() -> None:
    labels = np.array([0] * 2000 + [1] * 6)
    rows = random_rows_of_every_class(labels, 2, advise.MOST, least=4)
    assert len(rows) == advise.MOST
    assert (labels[rows] == 1).sum() >= 4
    assert (np.diff(rows) > 0).all()
    assert random_rows_of_every_class(labels[:30], 2, advise.MOST, least=4).tolist() == list(range(30))


def test_several_backbones_and_too_little_data_are_refused(cells: Path, cell_files: dict[str, list[Path]]) -> None:
    with pytest.raises(OptionError, match="advise takes one backbone, and 2 are named: name the one to train"):
        advise.advise(cells, options=Options())
    one = [*cell_files["defective"][:1], *cell_files["functional"][:9]]
    with pytest.raises(DataError, match="defective"):
        advise.advise(one, ["defective"] + ["functional"] * 9)


def test_heads_are_modelled_and_more_images_cost_more() -> None:
    small, large = (forecast_heads(["probe"], images=n, width=1280, classes=5, fits=25)[0] for n in (100, 5000))
    assert isinstance(small, Forecast)
    assert not small.measured
    assert large.seconds > small.seconds


def test_without_torch_the_rest_is_said_and_so_is_what_is_missing(cells: Path) -> None:
    code = (
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "heavy = ('torch', 'timm', 'onnx')\n"
        "util.find_spec = lambda name, package=None: None if name in heavy else found(name, package)\n"
        "class Blocked(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in heavy: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        f"sys.argv = ['headstart', 'advise', {str(cells)!r}]\n"
        "from headstart.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Fine-tunes are not forecast: Training inside a backbone needs the package 'torch'" in done.stdout
    assert "last-1\tabout" not in done.stdout
    assert "probe\tabout 1 s" in done.stdout
