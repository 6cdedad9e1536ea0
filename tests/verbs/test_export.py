"""Export answers as the model does, or nothing is written."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image
from tests.conftest import contents, headstart, refused

import headstart as api
from headstart.errors import BundleError, DataError, MissingExtra, OptionError
from headstart.model.export import graph as graphs
from headstart.model.export.parity import FILES, Check
from headstart.model.golden import GOLDEN_FILE, choose_golden, read_golden
from headstart.model.load import load_model
from headstart.model.model import Model

STRANGER = Path(__file__).parents[2] / "docs" / "deploy" / "stranger.py"


@pytest.fixture(scope="module")
def exported(saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    api.export(saved_model, path)
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number, (width, height) in enumerate([(300, 300), (410, 290), (90, 333), (640, 480)]):
        coarse = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def test_the_command_writes_one_file_and_says_how_near_it_is(saved_model: Path, tmp_path: Path) -> None:
    done = headstart("export", saved_model, "-o", tmp_path / "m.onnx")
    assert done.returncode == 0, done.stderr
    assert "probabilities, scores, embedding" in done.stdout
    assert "ONNX Runtime, equal pixels: 16 of 16 labels the same" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    again = headstart("verify", tmp_path / "m.onnx", saved_model)
    assert (again.returncode, again.stdout.split()[0]) == (0, "same")


def test_a_stranger_without_headstart_gets_the_models_answers(
    exported: Path, saved_model: Path, photographs: list[Path]
) -> None:
    command = [sys.executable, "-W", "ignore", str(STRANGER), str(exported), *map(str, photographs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    predictions = load_model(saved_model).predict(photographs)
    for line, label, confidence in zip(
        done.stdout.splitlines(), predictions.labels, predictions.confidences, strict=True
    ):
        _, name, number, *_ = line.split("\t")
        assert name == label
        assert abs(float(number) - confidence) < 2e-3
    assert len([line for line in STRANGER.read_text().splitlines() if line.strip()][1:]) <= 16


def test_the_metadata_say_what_a_stranger_must_know(exported: Path, saved_model: Path) -> None:
    about = json.loads({e.key: e.value for e in onnx.load(exported).metadata_props}["headstart"])
    predictor = load_model(saved_model)
    assert about["classes"] == list(predictor.classes)
    assert about["licences"] == ["efficientnet_lite0: Apache-2.0"]
    assert about["fingerprint"] == graphs.model_fingerprint(predictor)
    assert {node.domain for node in onnx.load(exported).graph.node} == {""}
    assert onnx.load(exported).opset_import[0].version == 17


def test_openvino_reads_its_own_format_and_answers_alike(saved_model: Path, tmp_path: Path) -> None:
    result = api.export(saved_model, tmp_path / "m.xml", to="openvino")
    assert result.parity.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    assert api.verify(tmp_path / "m.xml", saved_model).passed


def test_torch_carries_out_the_same_graph(saved_model: Path, photographs: list[Path]) -> None:
    torch = pytest.importorskip("torch")
    from headstart.model.export.torch_program import graph_module

    predictor = load_model(saved_model)
    module = graph_module(graphs.build_graph(predictor))
    expected = predictor.predict(photographs).probabilities
    with torch.no_grad():
        for path, row in zip(photographs, expected, strict=True):
            found = module(torch.from_numpy(np.array(Image.open(path))[None]))["probabilities"]
            assert np.abs(found.numpy()[0] - row).max() < 2e-3


@pytest.mark.slow
def test_a_torch_program_is_proved_and_verified(saved_model: Path, watched: Path, tmp_path: Path) -> None:
    assert api.export(saved_model, tmp_path / "m.pt2", to="torch").parity.passed
    assert api.verify(tmp_path / "m.pt2", saved_model).passed
    with pytest.raises(BundleError, match="was exported from another model"):
        api.verify(tmp_path / "m.pt2", watched / "model")


def test_decisions_are_those_of_the_model(saved_model: Path, tmp_path: Path, photographs: list[Path]) -> None:
    import onnxruntime

    api.export(saved_model, tmp_path / "m.onnx", max_error=0.3)
    predictor = load_model(saved_model)
    predictions = predictor.predict(photographs)
    decided = predictor.decide(predictions, max_error=0.3).accepted
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    pixels = [np.asarray(Image.open(path))[None] for path in photographs]
    answers = [session.run(["decision", "novelty", "heat", "scores"], {"image": image}) for image in pixels]
    assert [int(answer[0][0]) for answer in answers] == decided.astype(int).tolist()
    assert predictions.novelty is not None
    assert np.abs(np.array([a[1][0] for a in answers]) / predictions.novelty - 1).max() < 1e-2
    assert max(np.abs(a[2].mean((2, 3)) - a[3]).max() for a in answers) < 1e-3


def test_a_graph_that_answers_otherwise_fails_and_names_the_worst_image(
    exported: Path, saved_model: Path, tmp_path: Path
) -> None:
    model = onnx.load(exported)
    tensor = next(t for t in model.graph.initializer if t.name.endswith("bn1.bias"))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(0.3), tensor.name))
    onnx.save(model, tmp_path / "changed.onnx")
    done = headstart("verify", tmp_path / "changed.onnx", saved_model)
    assert done.returncode == 1
    assert "differs" in done.stdout
    assert "the worst image is golden image" in done.stdout


def test_nothing_is_written_where_the_export_answers_otherwise(
    saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.model.export import parity

    monkeypatch.setattr(parity, "LIMITS", {"f32": parity.Limits(0.0, 0.0, 1.0)})
    with pytest.raises(DataError, match="nothing was exported: in ONNX Runtime a probability differs by"):
        api.export(saved_model, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_another_models_graph_is_refused(exported: Path, watched: Path) -> None:
    with pytest.raises(BundleError, match="was exported from another model than the one that was given"):
        api.verify(exported, watched / "model")


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x08"])
def test_a_damaged_graph_is_one_sentence(content: bytes, saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="is damaged, or no ONNX graph: export the model again"):
        api.verify(tmp_path / "m.onnx", saved_model)


def test_bad_requests_are_refused_before_any_work(saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "there.onnx").write_bytes(b"mine")
    before = contents(tmp_path)
    assert "is there already" in refused("export", saved_model, "-o", tmp_path / "there.onnx")
    assert "does not end in .xml" in refused("export", saved_model, "-o", tmp_path / "m.onnx", "--to", "openvino")
    assert "Invalid value for '--to'" in refused("export", saved_model, "-o", tmp_path / "m.onnx", "--to", "int8")
    assert "cannot be written" in refused("export", saved_model, "-o", tmp_path / "there.onnx" / "m.onnx")
    assert "there is no model at" in refused("export", tmp_path / "none", "-o", tmp_path / "m.onnx")
    assert "is no exported model that can be run here" in refused("verify", tmp_path / "m.pt", saved_model)
    with pytest.raises(OptionError, match="to must be one of"):
        api.export(saved_model, tmp_path / "m.onnx", to="int8")
    assert contents(tmp_path) == before


def test_without_golden_images_a_check_is_asked_for(trained: Model, tmp_path: Path, photographs: list[Path]) -> None:
    replace(trained, golden=None).save(tmp_path / "model")
    with pytest.raises(DataError, match="the bundle keeps no golden images"):
        api.export(tmp_path / "model", tmp_path / "m.onnx")
    result = api.export(tmp_path / "model", tmp_path / "m.onnx", check=photographs)
    assert {check.kind for check in result.parity.checks} == {"equal pixels", "any size", "files"}


def test_no_keep_images_keeps_none(cells: Path, tmp_path: Path) -> None:
    done = headstart(
        "train", cells, "-o", tmp_path / "m", "--strategy", "ridge", "--backbones", "lite0", "--no-keep-images"
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "m" / GOLDEN_FILE).exists()


def test_damaged_golden_images_are_one_sentence(saved_model: Path) -> None:
    from headstart.model.bundle import read_bundle

    golden = read_golden(read_bundle(saved_model))
    assert golden is not None
    assert len(golden.images()) == 16
    with pytest.raises(BundleError, match="the golden images are damaged"):
        replace(golden, files=(golden.files[0][:60],)).images()


def test_golden_images_are_spread_over_classes_and_confidences() -> None:
    labels = np.repeat([0, 1], 50)
    rows = choose_golden(labels, np.linspace(0, 1, 100))
    assert np.bincount(labels[rows]).tolist() == [8, 8]
    assert {0, 49, 50, 99} <= set(rows)


def test_without_onnx_the_extra_is_named(saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[export\]'"):
        api.export(saved_model, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("same", "accuracy", "passed"),
    [(100, None, True), (99, (0.9, 0.9), True), (98, None, False), (100, (0.9, 0.88), False), (99, (0.9, 0.89), True)],
)
def test_files_pass_on_labels_and_accuracy(same: int, accuracy: tuple[float, float] | None, passed: bool) -> None:
    assert Check("ONNX Runtime", FILES, 100, 0.4, same, 0, "a.jpg", accuracy).passed is passed


@pytest.mark.parametrize(
    ("precision", "name", "reason"), [("bf16", "m.onnx", "bfloat16 convolution"), ("f16", "m.tflite", "folds")]
)
def test_a_precision_that_a_format_cannot_have_is_refused_with_the_reason(
    precision: str, name: str, reason: str, saved_model: Path, tmp_path: Path
) -> None:
    assert reason in " ".join(refused("export", saved_model, "-o", tmp_path / name, "--precision", precision).split())


def test_halves_and_bfloat16_are_compared_by_limits_of_their_own(saved_model: Path, tmp_path: Path) -> None:
    assert api.export(saved_model, tmp_path / "h.onnx", precision="f16").parity.passed
    assert {check.precision for check in api.verify(tmp_path / "h.onnx", saved_model).checks} == {"f16"}
    assert api.export(saved_model, tmp_path / "b.xml", to="openvino", precision="bf16").parity.passed


@pytest.mark.parametrize(("name", "package"), [("m.tflite", "litert-torch"), ("m.mlpackage", "coremltools")])
def test_a_converter_that_is_not_installed_is_named_before_any_work(
    name: str, package: str, saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.model.export import mobile

    monkeypatch.setattr(mobile, "find_spec", lambda module: None)
    assert f"run  pip install {package}" in refused("export", saved_model, "-o", tmp_path / name)
    assert list(tmp_path.iterdir()) == []
