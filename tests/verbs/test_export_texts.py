"""An exported model of texts answers as the model does, long texts too, or nothing is written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import headstart as run
from tests.verbs.test_texts import coded, texts

import headstart
from headstart.device import EXACT, Device
from headstart.errors import BundleError, DataError, OptionError
from headstart.model.model import Model

FULLY = Device("cpu", EXACT, "as exports are compared")
STRANGER = Path(__file__).parents[2] / "docs" / "deploy" / "stranger_text.py"
LONG = "Please cancel the train to Bergen, and tell me how much this journey is. " * 40
NEW = ["where is my card?", "how much is a new mortgage now", "the hotel room", LONG, "ok"]


@pytest.fixture(scope="module")
def spoken() -> Model:
    return headstart.train(*zip(*texts(), strict=True), heads="lda", folds=3, repeats=1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def saved(spoken: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "model"
    spoken.save(place)
    return place


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("check") / "texts.jsonl"
    place.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*NEW, ""]))
    return place


@pytest.fixture(scope="module")
def exported(saved: Path, check: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "out"
    done = run("export", saved, "-o", folder, "--to", "onnx", "--check", check)
    assert done.returncode == 0, done.stderr
    assert "ONNX Runtime, texts: 5 of 5 labels the same" in done.stdout
    assert "OpenVINO, texts: 5 of 5 labels the same" in done.stdout
    return folder


def test_graph_tokeniser_and_description_lie_side_by_side(exported: Path, saved: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["model.json", "model.onnx", "model.tokenizer.json"]
    about = json.loads((exported / "model.json").read_text())
    assert about["classes"] == ["card", "loan", "travel"]
    assert (about["before"], about["after"], about["room"], about["most_pieces"]) == ([101], [102], 254, 8192)
    assert about["outputs"] == ["probabilities", "scores", "embedding", "novelty"]


def test_a_stranger_without_headstart_gets_the_models_answers(exported: Path, saved: Path) -> None:
    command = [sys.executable, "-W", "ignore", str(STRANGER), str(exported / "model.onnx"), *NEW]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    predictions = headstart.load(saved).predict(NEW, device=FULLY)
    for line, label, confidence in zip(
        done.stdout.splitlines(), predictions.labels, predictions.confidences, strict=True
    ):
        _, name, number = line.split("\t")
        assert name == label
        assert abs(float(number) - confidence) < 1e-5
    assert len([line for line in STRANGER.read_text().splitlines() if line.strip()][1:]) <= 41


def test_an_export_is_verified_on_texts_that_are_named(exported: Path, saved: Path, check: Path) -> None:
    done = run("verify", exported, saved, check)
    assert (done.returncode, done.stdout.split()[0]) == (0, "same"), done.stderr
    assert "there is no text to compare the export with" in run("verify", exported, saved).stderr


def test_many_texts_in_one_call_are_told_apart_and_novelty_is_the_models(exported: Path, spoken: Model) -> None:
    import onnxruntime

    from headstart.model.export.texts import graph_inputs

    session = onnxruntime.InferenceSession(str(exported / "model.onnx"))
    inputs = graph_inputs(spoken.predictor.parts[0].backbone.spec, NEW)
    wanted = {value.name: inputs[value.name] for value in session.get_inputs()}
    probabilities, novelty = session.run(["probabilities", "novelty"], wanted)
    predictions = spoken.predictor.predict(NEW, device=FULLY)
    assert np.abs(probabilities - predictions.probabilities).max() < 1e-5
    assert predictions.novelty is not None
    np.testing.assert_allclose(novelty, predictions.novelty, rtol=1e-3)


def test_openvino_reads_its_own_format_and_answers_alike(saved: Path, check: Path, tmp_path: Path) -> None:
    result = headstart.export(saved, tmp_path / "m.xml", to="openvino", check=check)
    assert result.parity.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.json", "m.tokenizer.json", "m.xml"]


def test_without_texts_to_compare_with_nothing_is_exported(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no text of the training data is kept with a model\. Name some with --check"):
        headstart.export(saved, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_tokeniser_that_is_not_the_models_is_refused(exported: Path, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"the tokeniser beside .* is missing or another"):
        headstart.verify(tmp_path / "model.onnx", saved, NEW)


def test_pages_and_torch_programs_are_for_images(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is exported as 'onnx' or 'openvino', and 'web' was asked for"):
        headstart.export(saved, tmp_path / "page", to="web")


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that looks at weighed words, by itself or in an ensemble."""
    items, labels = zip(*coded(), strict=True)
    trained = headstart.train(list(items), list(labels), options=headstart.Options(folds=3, repeats=1))
    assert any(part.backbone.name == "words" for part in trained.predictor.parts)
    place = tmp_path_factory.mktemp("weighed") / "model"
    trained.save(place)
    return place


WEIGHED = ["silver third river " * 8, "candle fourth table", "Straße 4 É", "?!", LONG]


def test_weighed_words_are_exported_with_their_vocabulary_beside(weighed: Path, tmp_path: Path) -> None:
    result = headstart.export(weighed, tmp_path / "m.onnx", check=WEIGHED)
    assert max(check.largest for check in result.parity.checks) < 1e-4
    assert len(json.loads((tmp_path / "m.terms.json").read_text())["terms"]) > 100
    command = [sys.executable, "-W", "ignore", str(STRANGER), str(tmp_path / "m.onnx"), *WEIGHED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    predictions = headstart.load(weighed).predict(WEIGHED, device=FULLY)
    assert len(predictions.labels) == len(done.stdout.splitlines()) == 5
    for line, label, confidence in zip(
        done.stdout.splitlines(), predictions.labels, predictions.confidences, strict=True
    ):
        assert line.split("\t")[1] == label
        assert abs(float(line.split("\t")[2]) - confidence) < 1e-4
    assert headstart.verify(tmp_path / "m.onnx", weighed, WEIGHED).passed
    (tmp_path / "m.terms.json").write_text("{}")
    with pytest.raises(BundleError, match=r"the vocabulary beside .* is missing or another"):
        headstart.verify(tmp_path / "m.onnx", weighed, WEIGHED)
