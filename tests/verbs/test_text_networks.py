"""A network of one's own reads the texts all the way: train, save, predict without its folder, export."""

from pathlib import Path

import numpy as np
import pytest
from tests.backbones.conversion.test_text_networks import save_network
from tests.conftest import headstart as run
from tests.verbs.test_texts import texts

import headstart
from headstart.errors import BackboneError
from headstart.model.model import Model

NEW = ["where is my card?", "how much is the hotel room now", "ok"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("network"), "gpt2")


@pytest.fixture(scope="module")
def saved(network: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    place = tmp_path_factory.mktemp("model") / "model"
    options = headstart.Options(backbones=(str(network),), heads=("lda",), folds=3, repeats=1)
    trained = headstart.train(*zip(*texts(), strict=True), options=options)  # type: ignore[arg-type]
    trained.save(place)
    return trained, place


def test_a_saved_model_holds_graph_and_tokeniser_and_needs_no_folder(saved: tuple[Model, Path]) -> None:
    trained, place = saved
    names = {path.name for path in place.iterdir()}
    assert {path.rpartition(".")[2] for path in names if path.startswith("tiny-gpt2-")} == {"onnx", "json"}
    assert sum(name.endswith(".tokenizer.json") for name in names) == 1
    loaded = headstart.load(place).predict(NEW)
    np.testing.assert_array_equal(loaded.probabilities, trained.predictor.predict(NEW).probabilities)


def test_it_is_exported_as_the_packaged_encoder_is(saved: tuple[Model, Path], tmp_path: Path) -> None:
    result = headstart.export(saved[1], tmp_path / "m.onnx", check=[*NEW, "the film was long " * 60])
    assert max(check.largest for check in result.parity.checks) < 1e-5


def test_the_race_compares_the_last_piece_of_a_network_that_reads_from_left_to_right(network: Path) -> None:
    options = headstart.Options(backbones=(str(network),), folds=3, repeats=1)
    race = headstart.train(*zip(*texts(), strict=True), options=options).race  # type: ignore[arg-type]
    features = {line.features.partition(", ")[2] for line in race.lines if "tiny" in line.features}
    assert features == {"last piece", "last 4 layers", "last layer", "last 4 layers and first words", "all 4 layers"}


def test_texts_and_images_want_networks_of_their_own(network: Path, cells: Path, tmp_path: Path) -> None:
    items, labels = zip(*texts(), strict=True)
    with pytest.raises(BackboneError, match="efficientnet_lite2 takes images, and texts are to be read"):
        headstart.train(list(items), list(labels), backbones=["lite2", "minilm"])
    done = run("train", cells, "-o", tmp_path / "m", "--backbone", network)
    assert done.returncode == 2
    assert "takes texts, and images are to be read: name one of images, or leave it out." in done.stderr
