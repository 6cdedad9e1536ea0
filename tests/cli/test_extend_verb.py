"""`headstart extend` as a person meets it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data as photographs

from headstart.cli import extend, info
from headstart.errors import BundleError, OptionError


@pytest.fixture(scope="module")
def model(saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: models are saved beside it."""
    return shutil.copytree(saved_model, tmp_path_factory.mktemp("extending") / "model")


@pytest.fixture(scope="module")
def bricks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    whole = Image.fromarray(photographs.brick())
    (folder / "brick").mkdir()
    for i in range(10):
        whole.crop((50 * i, 0, 50 * i + 60, 60)).save(folder / "brick" / f"{i}.png")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(extend.command, [str(word) for word in words], catch_exceptions=False)


def test_it_prints_the_classes_before_and_after_and_saves_beside_the_model(model: Path, bricks: Path) -> None:
    done = run(model, bricks)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"result      \S+ % .* accuracy on all classes together, out of fold", lines[0])
    assert lines[-4] == "class\timages\tbefore\tafter\t95 % after"
    assert lines[-3] == "brick\t10\tnew\t100.0 %\t72.2–100.0"
    assert lines[-2].startswith("defective\t20\t")
    assert lines[1].startswith("added       10 images (new classes: 'brick') in ")
    assert lines[2] == "done        ridge solved anew in closed form over all images, its configuration kept (exact)"
    assert "on the same 50 images; 0.0 % of them now predicted as a new class" in done.stdout
    place = model.with_name("model-extended")
    assert lines[-7:-5] == [f"saved       {place}/", f"next        headstart predict {place} IMAGES…"]
    said = CliRunner().invoke(info.command, [str(place), "--details"], catch_exceptions=False).stdout
    assert "60 images of 3 classes (brick 10, defective 20, functional 30)" in said
    assert "one setting alone was measured" in said


def test_json_is_the_manifest_of_the_extended_model(model: Path, bricks: Path, tmp_path: Path) -> None:
    found = json.loads(run(model, bricks, "-o", tmp_path / "out", "--json").stdout)
    assert found == json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert found["extension"]["new_classes"] == ["brick"]
    assert found["extension"]["images"] == 50
    assert found["extension"]["added"] == 10
    assert found["extension"]["gain"]["low"] <= found["extension"]["gain"]["value"]


def test_places_that_would_be_lost_are_refused_before_any_work(model: Path, bricks: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot be saved over .* which it extends"):
        run(model, bricks, "-o", model)
    with pytest.raises(OptionError, match="it would lie inside the data folder"):
        run(model, bricks, "-o", bricks / "model")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match="the folder holds other things"):
        run(model, bricks, "-o", tmp_path)


def test_what_is_no_model_is_said(bricks: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no model at"):
        run(tmp_path / "nothing", bricks)
    with pytest.raises(BundleError, match="is not a saved model"):
        run(bricks, bricks, "-o", tmp_path / "out")
