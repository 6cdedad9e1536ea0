"""Boxes and masks from the command line: train, info, predict, evaluate, on drawn fields."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import headstart
from headstart import runtime
from headstart.cli.main import headstart as command
from headstart.demo.field import write_fields
from headstart.embed import networks
from headstart.errors import BundleError, DataError, OptionError


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fields(tmp_path_factory.mktemp("fields") / "data", images=16)


@pytest.fixture(scope="module", params=["boxes", "masks"])
def model(request: pytest.FixtureRequest, fields: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    place = tmp_path_factory.mktemp("model") / request.param
    words = ["train", str(fields), "--task", request.param, "-o", str(place), "--size", "256", "--heads", "ridge"]
    result = CliRunner().invoke(command, [*words, "--folds", "2"], catch_exceptions=False)
    assert result.exit_code == 0
    figure = "mAP50" if request.param == "boxes" else "mean IoU"
    first = result.stdout.splitlines()[0]
    assert first.startswith("result")
    assert figure in first
    assert "on 4 images kept apart" in result.stdout
    return request.param, place


def run(*words: object) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_info_says_the_answer_first(model: tuple[str, Path]) -> None:
    assert run("info", model[1]).startswith("result")


def test_the_bundle_holds_no_pickle_and_is_listed(model: tuple[str, Path]) -> None:
    names = {path.name for path in model[1].iterdir()}
    assert names == {"manifest.json", "head.safetensors", "trust.safetensors", "images.json"}


def test_a_changed_head_is_refused(model: tuple[str, Path], tmp_path: Path) -> None:
    for path in model[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "head.safetensors").write_bytes(bytes(100))
    with pytest.raises(BundleError, match=r"head\.safetensors"):
        headstart.load(tmp_path)


def test_predict_draws_and_writes(model: tuple[str, Path], fields: Path, tmp_path: Path) -> None:
    task, place = model
    images = [fields / "JPEGImages" / f"field_000{i}.jpg" for i in range(2)]
    extra = ["--formats", "coco,yolo,voc"] if task == "boxes" else []
    output = run("predict", place, *images, "-o", tmp_path / "seen", *extra)
    assert "field_0000.jpg" in output
    with Image.open(tmp_path / "seen" / "drawn" / "field_0000.png") as drawn:
        assert drawn.size[0] == 320
    if task == "boxes":
        found = json.loads((tmp_path / "seen" / "objects.json").read_text())
        assert found[0]["objects"][0]["class"] in ("disc", "rod", "dot")
        assert (tmp_path / "seen" / "coco.json").is_file()
        assert (tmp_path / "seen" / "yolo" / "classes.txt").read_text() == "disc\ndot\nrod\n"
    else:
        with Image.open(tmp_path / "seen" / "masks" / "field_0000.png") as mask:
            assert mask.mode == "P"
            assert set(np.unique(np.asarray(mask))) <= {0, 1, 2, 3}


def test_evaluate_scores_the_test_split(model: tuple[str, Path], fields: Path) -> None:
    result = json.loads(run("evaluate", model[1], fields, "--split", "test", "--json"))
    assert result["images"] == 4
    assert result["estimates"][0]["value"] > (0.5 if model[0] == "boxes" else 0.4)
    assert result["notes"] == []


def test_evaluate_says_that_it_has_seen_the_images(model: tuple[str, Path], fields: Path) -> None:
    result = json.loads(run("evaluate", model[1], fields, "--json"))
    assert any("trained on 12 images of these 16" in note for note in result["notes"])


def test_unreadable_images_keep_their_row(model: tuple[str, Path], fields: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "good.jpg").write_bytes((fields / "JPEGImages" / "field_0000.jpg").read_bytes())
    rows = json.loads(run("predict", model[1], tmp_path / "broken.png", tmp_path / "good.jpg", "--json"))
    assert [bool(row.get("unreadable")) for row in rows] == [True, False]


def test_a_promise_needs_enough_images(model: tuple[str, Path], fields: Path) -> None:
    predictor = headstart.load(model[1])
    with pytest.raises(DataError, match="takes 19 labelled images; there are 4"):
        predictor.predict([fields / "JPEGImages" / "field_0000.jpg"], max_missed=0.05)  # type: ignore[call-arg]


def test_options_of_classification_are_refused(fields: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--budget means nothing for boxes"):
        run("train", fields, "-o", tmp_path / "m", "--budget", "1m")


def test_nothing_but_classes_is_no_data_for_boxes(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="holds no boxes or masks"):
        run("train", tmp_path, "--task", "boxes", "-o", tmp_path.parent / "m")


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_runtime_prints_the_records_of_predict(
    model: tuple[str, Path],
    fields: Path,
    engine: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = sorted((fields / "JPEGImages").glob("*.jpg"))[:2]
    wanted = json.loads(run("predict", model[1], *images, "--json"))
    monkeypatch.setattr(networks, "installed", lambda name: name == engine)
    assert runtime.main([str(model[1]), *map(str, images)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["image"] for record in found] == [record["image"] for record in wanted]
    if model[0] == "masks" or engine == "openvino":
        assert found == wanted
        return
    for record, other in zip(found, wanted, strict=True):
        assert [seen["class"] for seen in record["objects"]] == [seen["class"] for seen in other["objects"]]
        for seen, expected in zip(record["objects"], other["objects"], strict=True):
            assert seen["box"] == pytest.approx(expected["box"], abs=0.1)
    assert runtime.main([str(model[1]), "--self-test"]) == 0
    assert json.loads(capsys.readouterr().out)["engine"] == "onnxruntime"


def test_the_page_shows_the_worst_images_and_loads_nothing(
    model: tuple[str, Path], fields: Path, tmp_path: Path
) -> None:
    task, place = model
    output = run("evaluate", place, fields, "--split", "test", "--html", tmp_path / "page.html")
    assert "page" in output
    page = (tmp_path / "page.html").read_text()
    assert page.index("<h1>") < page.index("The worst images")
    assert page.count('<ul class="images large">') == 1
    assert page.count('class="words"') == 4
    assert ("labelled, and not seen" in page) == (task == "boxes")
    assert 'src="http' not in page
    assert "<script" not in page


def test_python_takes_detectors_as_the_command_line_does(model: tuple[str, Path], fields: Path) -> None:
    task, place = model
    images = [fields / "JPEGImages" / f"field_000{i}.jpg" for i in range(2)]
    assert len(headstart.predict(place, images)) == 2
    predictor = headstart.load(place)
    result = headstart.evaluate(predictor, fields, split="test")
    assert result.scores.estimates[0].metric == ("mAP50" if task == "boxes" else "mIoU")
    with pytest.raises(OptionError, match=rf"to means nothing for a model of {task}: leave it out"):
        headstart.export(predictor, "model.xml", to="openvino")
    with pytest.raises(DataError, match="is evaluated on a folder or COCO file; found list"):
        headstart.evaluate(predictor, [images[0]])


def test_python_says_how_to_train_on_boxes(fields: Path) -> None:
    with pytest.raises(DataError, match=r"holds boxes, and headstart\.train learns classes: say 'headstart train"):
        headstart.train(fields)
