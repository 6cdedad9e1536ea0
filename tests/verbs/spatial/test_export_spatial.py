"""Detectors and segmenters leave as ONNX, and answer a stranger as they answer Headstart."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import headstart
from headstart.cli.main import headstart as command
from headstart.data.sources.annotations.load import load_annotated
from headstart.demo.field import write_fields
from headstart.errors import BundleError, DataError, OptionError
from headstart.model.export.spatial.parity import compare_boxes
from headstart.records.boxes import Detections
from headstart.verbs.spatial.export import export_spatial, verify_spatial
from headstart.verbs.spatial.train import SpatialOptions, train_spatial

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
STRANGER = Path(__file__).parents[3] / "docs" / "deploy" / "stranger_spatial.py"


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fields(tmp_path_factory.mktemp("fields") / "data", images=16)


@pytest.fixture(scope="module", params=["boxes", "masks"])
def exported(
    request: pytest.FixtureRequest, fields: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    place = tmp_path_factory.mktemp("export") / request.param
    heads = ("network",) if request.param == "boxes" else ("ridge",)
    options = SpatialOptions(size=256, heads=heads, folds=2)
    train_spatial(load_annotated(fields, task=request.param), options=options).save(place / "model")
    words = ["export", str(place / "model"), "-o", str(place / "model.onnx"), "--check", str(fields / "JPEGImages")]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("exported")
    assert "ONNX Runtime, equal pixels" in result.stdout
    return request.param, place


def test_the_stranger_needs_twenty_lines() -> None:
    assert len(STRANGER.read_text().splitlines()) <= 23  # with its docstring and blank lines
    assert len([line for line in STRANGER.read_text().splitlines() if line.strip()]) <= 20


def test_a_stranger_gets_the_models_answers(exported: tuple[str, Path], fields: Path, tmp_path: Path) -> None:
    task, place = exported
    image = tmp_path / "strange.png"
    with Image.open(fields / "JPEGImages" / "field_0003.jpg") as whole:
        whole.crop((0, 0, 300, 130)).save(image)  # another shape than the canvas's: bands are laid beside it
    words = [sys.executable, "-I", str(STRANGER), str(place / "model.onnx"), str(image)]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    predictor = headstart.load(place / "model")
    (answer,) = predictor.predict([image]).answers  # type: ignore[union-attr]
    if task == "masks":
        with Image.open(f"{image}.mask.png") as mask:
            assert (np.asarray(mask) == answer.labels).mean() > 0.95
        return
    lines = [line.split("\t") for line in output.splitlines()]
    assert [line[1] for line in lines] == [predictor.classes[k] for k in answer.labels]
    boxes = np.array([[float(value) for value in line[3:]] for line in lines])
    assert np.abs(boxes - answer.corners).max() < 0.5


def test_verify_says_that_they_are_the_same(exported: tuple[str, Path], fields: Path) -> None:
    words = ["verify", exported[1] / "model.onnx", exported[1] / "model", fields / "JPEGImages" / "field_0001.jpg"]
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.startswith("same")


def test_boxes_are_within_a_hundredth_of_a_pixel(exported: tuple[str, Path], fields: Path) -> None:
    predictor = headstart.load(exported[1] / "model")
    checks = verify_spatial(exported[1] / "model.onnx", predictor, fields / "JPEGImages")  # type: ignore[arg-type]
    equal = [check for check in checks if check.kind == "equal pixels"]
    assert [check.runtime for check in equal] == ["ONNX Runtime", "OpenVINO"]
    assert all(check.largest < 0.01 and check.alone == 0 for check in equal)


def test_an_image_with_nothing_gives_no_boxes(exported: tuple[str, Path]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported[1] / "model.onnx"))
    outputs = session.run(None, {"image": np.full((1, 3, 3, 3), 127, np.uint8)})
    assert [output.ndim for output in outputs] == ([2, 1, 1] if exported[0] == "boxes" else [2])


def test_another_models_file_is_refused(exported: tuple[str, Path], fields: Path) -> None:
    from dataclasses import replace

    predictor = replace(headstart.load(exported[1] / "model"), threshold=0.123)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="from another model"):
        verify_spatial(exported[1] / "model.onnx", predictor, fields / "JPEGImages")  # type: ignore[arg-type]


def test_mistakes_are_said_before_any_work(exported: tuple[str, Path], fields: Path, tmp_path: Path) -> None:
    predictor = headstart.load(exported[1] / "model")
    with pytest.raises(OptionError, match="ONNX alone"):
        export_spatial(predictor, tmp_path / "model.xml")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is there already"):
        export_spatial(predictor, exported[1] / "model.onnx", check=fields)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="Name some with --check"):
        export_spatial(predictor, tmp_path / "model.onnx")  # type: ignore[arg-type]


def test_a_box_that_moved_or_is_missing_is_seen() -> None:
    one = Detections(np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]]), np.array([0.9, 0.8]), np.array([0, 1]))
    other = Detections(np.array([[0.0, 0, 10, 10.5]]), np.array([0.90005]), np.array([0]))
    difference = compare_boxes(one, other, 1e-4)
    assert (difference.answers, difference.alone, difference.largest) == (2, 1, 0.5)
