"""Fine-tuning from the command line: compared with heads, saved, used, interrupted, and refused where it cannot be."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.test_strange_input import hears_interrupts
from tests.conftest import headstart, refused

QUICK = ("--backbones", "lite0", "--folds", "2", "--epochs", "2", "--views", "1", "--precision", "f32")


def test_a_fine_tune_is_compared_with_the_heads_on_the_same_folds(cells: Path, tmp_path: Path) -> None:
    done = headstart("train", cells, "-o", tmp_path / "m", *QUICK, "--strategy", "last-1,probe,ridge")
    assert done.returncode == 0, done.stderr
    assert "note: last-1: activations after blocks.5.3 are kept" in done.stderr
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    names = [entry["name"] for entry in manifest["candidates"]]
    assert names == ["probe", "ridge", "multi-layer probe", "multi-layer ridge", "last-1"]
    tuned = manifest["candidates"][-1]
    assert tuned["features"] == "efficientnet_lite0, the last 1 stage of 8 (blocks.6)"
    assert set(tuned["configuration"]) == {"wise_ft"}
    assert manifest["data"]["folds"] == 2
    assert manifest["data"]["repeats"] == 1
    assert manifest["training"]["options"]["strategies"] == ["last-1"]


def test_a_fine_tune_that_wins_is_saved_with_its_changed_tensors_and_predicts(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import headstart as hs
    from headstart.finetune.recipe import Recipe
    from headstart.pipeline import fine_tunes
    from headstart.pipeline.options import Options

    monkeypatch.setattr(fine_tunes, "_PRIOR", 100.0)
    recipe = Recipe(epochs=2, views=1, precision="f32")
    options = Options(
        backbones=("lite0",), heads=("class-mean",), strategies=("last-1",), recipe=recipe, folds=2, min_gain=0.0
    )
    trained = hs.train(cells, options=options)
    if trained.head != "last-1":
        pytest.fail(f"the nearest class mean beat the fine-tune: {trained.summary()}")
    trained.save(tmp_path / "m")
    assert (tmp_path / "m" / "efficientnet_lite0.delta.safetensors").stat().st_size < 3e6
    pictures = sorted(cells.glob("*/*.png"))[:5]
    fresh = subprocess.run(
        [sys.executable, "-c", _PREDICT, tmp_path / "m", *pictures], capture_output=True, text=True, check=True
    )
    said = json.loads(fresh.stdout)
    assert said["torch"] is False
    assert said["probabilities"] == pytest.approx(
        trained.predictor.predict(pictures).probabilities.ravel().tolist(), abs=1e-6
    )


_PREDICT = """
import json, sys, headstart
found = headstart.load(sys.argv[1]).predict(sys.argv[2:])
print(json.dumps({"torch": "torch" in sys.modules, "probabilities": found.probabilities.ravel().tolist()}))
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategy", "last-99"), "which has 8 stages"),
        (("--strategy", "lora"), "transformer blocks, and efficientnet_lite0 has none"),
        (("--strategy", "fulll"), "strategy 'fulll' is not known: did you mean 'full'"),
        (("--strategy", "last-1", "--batch", "500"), "--batch 40 or less"),
        (("--strategy", "last-1", "--rate", "0"), "rate must be above 0; found 0.0"),
        (("--strategy", "last-1", "--rate", "-1"), "rate must be above 0; found -1.0"),
        (("--strategy", "last-1", "--l2sp", "a"), "--l2sp must be numbers with commas between; found 'a'"),
        (("--strategy", ","), "--strategy names nothing"),
        (("--strategy", "last-1,last-1"), "strategies names 'last-1' more than once"),
        (("--strategy", "surgical:layer9"), "does not have: choose one of 'stem'"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    cells: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    assert said in refused("train", cells, "-o", tmp_path / "m", "--backbones", "lite0", *words)
    assert not (tmp_path / "m").exists()


@pytest.fixture(scope="module")
def few(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second photograph: training on them takes half as long."""
    root = tmp_path_factory.mktemp("few")
    for folder in sorted(cells.iterdir()):
        (root / folder.name).mkdir()
        for file in sorted(folder.iterdir())[::2]:
            shutil.copy(file, root / folder.name)
    return root


def test_a_killed_training_run_goes_on_where_it_was(few: Path, tmp_path: Path) -> None:
    """kill -9 while checkpoints are being written; the same command then ends with the model of a quiet run."""
    words = ["train", few, "-o", tmp_path / "m", "--backbones", "lite0", "--strategy", "last-1,ridge", "--folds", "2"]
    words += ["--epochs", "3", "--views", "1", "--precision", "f32", "--overwrite"]
    outcome = []
    for name, kills in (("quiet", 0), ("killed", 2)):
        cache = tmp_path / name
        environment = {**os.environ, "HEADSTART_CACHE": str(cache)}
        command = [sys.executable, "-m", "headstart", *map(str, words)]
        for kill in range(kills):
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            until = time.monotonic() + 120
            while len(list((cache / "checkpoints").glob("*.blob"))) <= kill and time.monotonic() < until:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = headstart(*words, HEADSTART_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
        outcome.append([(e["name"], e["configuration"], e["score"], e["log_loss"]) for e in manifest["candidates"]])
        assert not list(cache.rglob("*.partial"))
    assert outcome[0] == outcome[1]


FAST = (
    "--backbones",
    "lite0",
    "--epochs",
    "1",
    "--views",
    "0",
    "--augment",
    "none",
    "--precision",
    "f32",
    "--folds",
    "2",
)


@pytest.fixture(scope="module")
def hard(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs with every third one under the wrong label: much is left to be gained."""
    root, names = tmp_path_factory.mktemp("hard"), ("defective", "functional")
    for name in names:
        (root / name).mkdir()
    for own, other in (names, names[::-1]):
        for i, file in enumerate(sorted((few / own).iterdir())):
            shutil.copy(file, root / (other if i % 3 == 0 else own) / file.name)
    return root


def test_the_race_tries_fine_tunes_by_itself_and_every_line_says_what_became_of_it(hard: Path, tmp_path: Path) -> None:
    done = headstart("train", hard, "-o", tmp_path / "m", *FAST, "--repeats", "2", "--budget", "4m")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    lines = {entry["name"]: entry for entry in manifest["candidates"]}
    assert {"class-mean", "ridge", "last-1", "last-2", "last-4", "full", "surgical-first", "scratch"} <= set(lines)
    assert lines["scratch"]["status"] == "left out"
    assert lines["scratch"]["reason"] == "a gain of 0.00 points is expected of it, less than the 0.5 that count"
    begun = [lines[name] for name in ("last-1", "last-2", "last-4", "full", "surgical-first")]
    for line in begun:
        assert (line["status"] in ("given up", "left out")) == bool(line["reason"])
    assert [line["name"] for line in begun if line["status"] != "left out"]
    assert "strategies" not in manifest["training"]["options"]
    assert manifest["training"]["options"]["budget"] == 240.0
    assert manifest["data"]["repeats"] == 2
    told = headstart("info", tmp_path / "m", "--details").stdout
    assert "a gain of 0.00 points is expected of it" in told


def test_a_budget_that_embedding_uses_up_still_gives_a_model(hard: Path, tmp_path: Path) -> None:
    done = headstart("train", hard, "-o", tmp_path / "m", "--backbones", "lite0", "--budget", "0.001s")
    assert done.returncode == 0, done.stderr
    early = r"note: The comparison ended early: .*\(of --budget 0\.001s; more time would try more\)"
    assert re.search(early, done.stderr), done.stderr
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert manifest["candidates"][0]["name"] == "class-mean"
    assert {line["status"] for line in manifest["candidates"] if line["name"] in ("last-1", "full")} == {"left out"}


def test_frozen_and_named_heads_try_no_fine_tune(cells: Path, tmp_path: Path) -> None:
    for words in (("--strategy", "frozen"), ("--heads", "class-mean,ridge")):
        done = headstart(
            "train", cells, "-o", tmp_path / "m", "--backbones", "lite0", "--repeats", "1", "--overwrite", *words
        )
        assert done.returncode == 0, done.stderr
        names = {line["name"] for line in json.loads((tmp_path / "m" / "manifest.json").read_text())["candidates"]}
        assert "ridge" in names
        assert "last-1" not in names


def test_ctrl_c_in_the_race_saves_the_best_so_far(hard: Path, tmp_path: Path) -> None:
    words = ("train", hard, "-o", tmp_path / "m", "--backbones", "lite0", "--budget", "none", "--precision", "f32")
    command = [sys.executable, "-m", "headstart", *map(str, words)]
    environment = {**os.environ, "HEADSTART_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_interrupts,
    )
    until = time.monotonic() + 120
    while not list((tmp_path / "cache" / "checkpoints").glob("*.blob")) and time.monotonic() < until:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert "note: The comparison ended early: it was stopped by Ctrl-C. What was scored is kept" in said
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert any("it was stopped by Ctrl-C" in line.get("reason", "") for line in manifest["candidates"])
    assert headstart("predict", tmp_path / "m", next(hard.glob("*/*.png"))).returncode == 0


def test_a_budget_that_is_no_time_is_refused(cells: Path, tmp_path: Path) -> None:
    said = refused("train", cells, "-o", tmp_path / "m", "--budget", "soon")
    assert "budget is a time such as 30s, 5m or 1h, or 'none' for no limit; found 'soon'" in said
