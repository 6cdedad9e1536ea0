"""`headstart forgetting` as a person meets it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from headstart.backbones.deltas import apply_delta
from headstart.cli import forgetting
from headstart.embed.features import Part
from headstart.errors import BundleError, DataError
from headstart.model.model import Model


@pytest.fixture(scope="module")
def tuned(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (part,) = trained.predictor.parts
    shifted = np.random.default_rng(0).standard_normal(1280)
    parts = (Part(apply_delta(part.backbone, {"bn2.bias": shifted}), part.taps),)
    folder = tmp_path_factory.mktemp("tuned") / "model"
    replace(trained, predictor=replace(trained.predictor, parts=parts)).save(folder)
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(forgetting.command, [str(word) for word in words], catch_exceptions=False)


def test_it_prints_a_line_a_stage_and_what_the_original_head_says(tuned: Path, cells: Path) -> None:
    done = run(tuned, cells)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "efficientnet_lite0: 1 tensor changed; compared on 50 images"
    assert lines[1] == "stage\tCKA\tby chance\t"
    assert lines[2].startswith("stem\t1.000\t0.")
    assert [line.endswith("unchanged") for line in lines[2:11]] == [True] * 8 + [False]
    assert lines[11].startswith("original head   names the same class as before on ")
    assert len(lines) == 12
    assert "note: 0 of 50 images lie in a folder named by the WordNet id" in done.stderr


def test_folders_named_by_wordnet_ids_give_an_accuracy(tuned: Path, cells: Path, tmp_path: Path) -> None:
    (tmp_path / "n02690373").symlink_to(cells / "functional")
    lines = run(tuned, tmp_path / "n02690373").stdout.splitlines()
    assert lines[-2].startswith("accuracy        before ")
    assert lines[-1].endswith(" on 30 images of ImageNet's classes")


def test_it_prints_json(tuned: Path, cells: Path) -> None:
    (found,) = json.loads(run(tuned, cells, "--json").stdout)["backbones"]
    assert (found["backbone"], found["tensors"], found["images"]) == ("efficientnet_lite0", 1, 50)
    assert found["stages"][0] == {
        "stage": "stem",
        "unchanged": True,
        "cka": 1.0,
        "chance": found["stages"][0]["chance"],
    }
    assert found["stages"][-1]["cka"] < 1
    assert found["head"]["accuracy"] is None


def test_a_model_that_was_not_fine_tuned_is_said_to_have_forgotten_nothing(saved_model: Path, cells: Path) -> None:
    done = run(saved_model, cells)
    assert (done.exit_code, done.stdout) == (
        0,
        f"nothing was forgotten: {saved_model} was not fine-tuned, it uses efficientnet_lite0 as published.\n",
    )
    assert json.loads(run(saved_model, cells, "--json").stdout) == {"backbones": []}


def test_wrong_input_is_answered(tuned: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no model at"):
        run(tmp_path / "none", tmp_path)
    with pytest.raises(DataError, match="no images were found"):
        run(tuned, tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        run(tuned, tmp_path / "none")
    table = tmp_path / "table.csv"
    table.write_text("path,label\n")
    with pytest.raises(DataError, match=r"table\.csv has a heading but no rows"):
        run(tuned, table)
    assert run(tuned).exit_code == 2
