"""The command line as a person meets it: real photographs, wrong input too; a process of its own where that matters."""

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import headstart, refused

from headstart.cli import main

VERBS = (
    "train",
    "extend",
    "adapt",
    "backbones",
    "demo",
    "predict",
    "export",
    "verify",
    "evaluate",
    "info",
    "drift",
    "shift",
    "audit",
    "advise",
    "embed",
    "sample",
    "curve",
    "rank",
    "depth",
    "robustness",
    "forgetting",
    "cache",
)
QUICK = ("--backbones", "lite0", "--heads", "ridge", "--repeats", "1")


def process(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headstart", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def model(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "model"
    done = headstart("train", cells, "-o", folder, *QUICK)
    assert done.returncode == 0, done.stderr
    names = [line.partition(" ")[0] for line in done.stdout.splitlines()]
    assert [name for name in names if name in ("result", "confuses", "next", "saved")] == [
        *("result", "confuses", "next", "saved"),
    ]
    assert names[0] == "result"
    assert f"next       headstart predict {folder} IMAGES…" in done.stdout
    assert f"saved      {folder}: multi-layer ridge on lite0, 5 layers, from 50 images of 2 classes" in done.stdout
    return folder


def test_help_lists_the_verbs() -> None:
    said = process("--help").stdout
    assert VERBS == main.VERBS
    for verb in VERBS:
        assert f"  {verb} " in said


def test_a_process_of_its_own_prints_json_alone_and_ends_with_the_code(model: Path, cells: Path) -> None:
    done = process("predict", model, next((cells / "defective").iterdir()), "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 1
    wrong = process("predict", model.with_name("none"), "x.jpg")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: there is no model at")


@pytest.mark.clock
def test_help_is_quick() -> None:
    times, bare = [], []
    for _ in range(5):
        start = time.perf_counter()
        process("--help")
        times.append(time.perf_counter() - start)
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import click"], check=True)
        bare.append(time.perf_counter() - start)
    assert min(times) < 3 * min(bare)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = headstart(verb, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_predictions_come_as_a_table_csv_and_json(model: Path, cells: Path) -> None:
    image = next((cells / "defective").iterdir())
    plain = headstart("predict", model, image)
    assert plain.stdout.splitlines()[0] == "image\tclass\tconfidence\tsecond choice\tmark"
    table = headstart("predict", model, image, "--csv").stdout.splitlines()
    assert table[0] == "image,class,confidence,novelty,defective,functional"
    assert table[1].startswith(f"{image.as_posix()},")
    (record,) = json.loads(headstart("predict", model, image, "--json").stdout)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert record["confidence"] == max(record["probabilities"].values())


def test_unreadable_images_are_named_and_keep_their_row(model: Path, cells: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    image = next((cells / "defective").iterdir())
    done = headstart("predict", model, tmp_path / "broken.jpg", image, "--csv")
    assert done.returncode == 0
    broken, readable = csv.DictReader(io.StringIO(done.stdout))
    reason = "it is not an image in a known format (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"
    assert (broken["image"], broken["class"], broken["confidence"], broken["defective"], broken["unreadable"]) == (
        (tmp_path / "broken.jpg").as_posix(),
        "",
        "",
        "",
        reason,
    )
    assert (readable["image"], readable["unreadable"]) == (image.as_posix(), "")
    assert readable["class"] in ("defective", "functional")
    assert done.stderr.startswith("unreadable: ")
    first, second = json.loads(headstart("predict", model, tmp_path / "broken.jpg", image, "--json").stdout)
    assert (first["class"], first["probabilities"], first["unreadable"]) == (None, None, reason)
    assert second["class"] == readable["class"]
    assert "(unreadable)" in headstart("predict", model, tmp_path / "broken.jpg", image).stdout
    decided = headstart(
        "predict", model, tmp_path / "broken.jpg", image, "--max-error", "20%", "--sets", "0.9", "--csv"
    )
    assert next(csv.DictReader(io.StringIO(decided.stdout)))["reason"] == "unreadable"
    assert "no image could be read, of 1" in refused("predict", model, tmp_path / "broken.jpg")


def test_a_table_is_predicted_row_by_row(model: Path, cells: Path, tmp_path: Path) -> None:
    files = sorted((cells / "defective").iterdir())[:2]
    (tmp_path / "new.csv").write_text("\n".join(["path", str(files[1]), "gone.png", str(files[0]), str(files[1])]))
    rows = list(csv.DictReader(io.StringIO(headstart("predict", model, tmp_path / "new.csv", "--csv").stdout)))
    assert [row["image"] for row in rows] == [str(files[1]), "gone.png", str(files[0]), str(files[1])]
    assert [row["unreadable"] for row in rows] == ["", "there is no such file", "", ""]
    assert rows[0] == rows[3]


def test_a_model_is_scored_on_labelled_images_by_class_name(model: Path, cells: Path, tmp_path: Path) -> None:
    found = json.loads(headstart("evaluate", model, cells, "--json").stdout)
    assert found["images"] == 50
    assert found["accuracy"]["low"] < found["accuracy"]["value"] <= found["accuracy"]["high"]
    (tmp_path / "functional").symlink_to(cells / "functional")
    (tmp_path / "cracked").symlink_to(cells / "defective")
    said = refused("evaluate", model, tmp_path)
    assert "the classes 'cracked', which the model does not know" in said


def test_info_says_what_a_model_is(model: Path) -> None:
    assert headstart("info", model).stdout.startswith("result     ")
    said = headstart("info", model, "--details").stdout
    assert "50 images of 2 classes (defective 20, functional 30)" in said
    manifest = json.loads(headstart("info", model, "--json").stdout)
    assert manifest["command"][:2] == ["headstart", "train"]
    assert manifest["scores"]["estimate"]["method"].startswith("BBC-CV")


def test_a_csv_table_trains_as_the_folder_does(cells: Path, tmp_path: Path) -> None:
    rows = [f"{path},{path.parent.name}" for path in sorted(cells.glob("*/*.png"))]
    table = tmp_path / "cells.csv"
    table.write_text("file,kind\n" + "\n".join(rows) + "\n")
    assert "label" in refused("train", table, "-o", tmp_path / "model", *QUICK)
    done = headstart("train", table, "--label-column", "kind", "-o", tmp_path / "model", "--json", *QUICK)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["data"]["counts"] == {"defective": 20, "functional": 30}
    assert printed == json.loads((tmp_path / "model/manifest.json").read_text())
    assert "head.safetensors" in printed["files"]


def test_a_wrong_verb_is_answered_with_the_nearest() -> None:
    assert "there is no command 'trian'. Did you mean 'train'?" in refused("trian", "x")


def test_wrong_paths_are_answered_with_the_nearest(cells: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused("train", tmp_path / "nothing", "-o", tmp_path / "model")
    wrong = cells.with_name(cells.name + "x")
    assert f"Did you mean {cells}?" in refused("train", wrong, "-o", tmp_path / "model")
    assert "there is no model at" in refused("predict", tmp_path / "none", "x.jpg")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused("train", tmp_path / "empty", "-o", tmp_path / "model")


def test_a_wrong_option_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "model")
    assert "Did you mean 'ridge'" in refused("train", cells, *out, "--heads", "rigde")
    assert "metric must be one of" in refused("train", cells, *out, "--metric", "auc")
    assert "device must be one of" in refused("train", cells, *out, "--device", "tpu")
    assert "holds other things, which would be lost" in refused("train", cells, "-o", cells)
    assert not (tmp_path / "model").exists()


def test_a_checkpoint_belongs_to_one_backbone(cells: Path, tmp_path: Path) -> None:
    weights = ("--weights", tmp_path / "none.safetensors")
    said = refused("train", cells, "-o", tmp_path / "model", *weights)
    assert "weights are for one backbone, and 2 are named" in said
    said = refused("train", cells, "-o", tmp_path / "model", "--backbones", "resnet18", *weights)
    assert "none.safetensors" in said


def test_a_wrong_backbone_is_refused_with_the_nearest(cells: Path, tmp_path: Path) -> None:
    said = refused("train", cells, "-o", tmp_path / "model", "--backbones", "efficientnet_lite9")
    assert "did you mean 'efficientnet_lite" in said
