"""Guarantees on the command line: given, refused, stored with the model, turned off; sets; wrong input."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from headstart.cli import info, predict, train
from headstart.demo.screens.generate import generate
from headstart.demo.solar import solar_cells
from headstart.errors import DataError, OptionError
from headstart.pipeline.options import Options

QUICK = ("--backbones", "lite0", "--heads", "ridge", "--repeats", "1")


def run(command: object, *words: object) -> Result:
    return CliRunner().invoke(command.command, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def output(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("triage") / "model"
    said = run(train, cells, "-o", folder, *QUICK, "--max-error", "30%").stdout
    return folder, said


@pytest.fixture(scope="module")
def model(output: tuple[Path, str]) -> Path:
    return output[0]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("noise") / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)).save(file)
    return file


def test_train_prints_the_guarantee_and_info_repeats_it(output: tuple[Path, str]) -> None:
    folder, said = output
    (line,) = [line for line in said.splitlines() if line.startswith("automatic  ")]
    assert " % of such images need no person, with at most 30 % of them wrong (95 % confidence); the others are" in line
    assert line in run(info, folder).stdout
    details = run(info, folder, "--details").stdout
    (line,) = [line for line in details.splitlines() if line.startswith("guarantee  ")]
    assert line.endswith("% to review.")
    assert " % accepted automatically, at most 30 % of them wrong (95 % confidence); " in line
    assert "guaranteed: " in details or "not shown: " in details


def test_predict_gives_the_guarantee_that_the_model_was_trained_with(model: Path, cells: Path, noise: Path) -> None:
    done = run(predict, model, cells / "functional", noise)
    assert done.exit_code == 0
    guarantee, here, *_ = done.stderr.splitlines()
    assert "at most 30 % of them wrong (95 % confidence)" in guarantee
    assert re.fullmatch(r"Accepted here: \d+ of 31 images; to review: .*novel.*\.", here)
    header, *rows = done.stdout.splitlines()
    assert header == "image\tclass\tconfidence\tsecond choice\tdecision\treason"
    assert len(rows) == 31
    assert rows[-1].endswith("\treview\tnovel")
    assert sum(row.endswith("\taccept\t") for row in rows) > 20


def test_a_batch_from_elsewhere_goes_to_review_as_a_whole_unless_a_warning_is_enough(
    model: Path, tmp_path: Path
) -> None:
    screens = generate(tmp_path / "screens", 6, 0).known
    done = run(predict, model, *sorted(screens.glob("*/*")))
    assert done.exit_code == 0
    assert "Accepted here: 0 of 30 images; to review: " in done.stderr
    assert done.stderr.startswith(
        "No guarantee: Covariate shift: these images differ from the training images (p = 0.002; "
    )
    rows = [row.split("\t") for row in done.stdout.splitlines()[1:]]
    assert {row[4] for row in rows} == {"review"}
    assert {row[5] for row in rows} <= {"novel", "batch shift"}
    warned = run(predict, model, *sorted(screens.glob("*/*")), "--on-shift", "warn")
    assert "batch shift" not in warned.stdout
    assert "--on-shift" not in warned.stderr
    assert warned.stderr.startswith(
        "No guarantee: Covariate shift: these images differ from the training images (p = 0.002; "
    )


@pytest.mark.parametrize("asked", ["0.02", "2%", "2 %"])
def test_a_guarantee_that_50_images_cannot_carry_is_refused_with_a_number_and_exit_code_0(
    asked: str, model: Path, cells: Path
) -> None:
    done = run(predict, model, cells / "defective", "--max-error", asked)
    assert done.exit_code == 0
    assert done.stderr.startswith(
        "Nothing can be accepted automatically: at most 2 % wrong with 95 % confidence takes at least 149 accepted "
        "images without an error, of "
    )
    assert (
        " more labelled images would do, with about even odds, if the most confident predictions stay as right as here"
        in done.stderr
    )
    rows = [row.split("\t") for row in done.stdout.splitlines()[1:]]
    assert {row[4] for row in rows} == {"review"}
    assert {row[5] for row in rows} <= {"no guarantee", "novel"}


def test_none_turns_the_guarantee_off_and_novel_images_are_still_named(model: Path, cells: Path, noise: Path) -> None:
    done = run(predict, model, noise, "--max-error", "none")
    header, row = done.stdout.splitlines()
    assert header == "image\tclass\tconfidence\tsecond choice\tmark"
    assert row.endswith("\tnovel")
    assert done.stderr.startswith("note: 1 of 1 images are unlike those that the model was trained on (novel;")


def test_csv_and_json_hold_novelty_always_and_the_decision_where_one_is_made(
    model: Path, cells: Path, noise: Path
) -> None:
    image = next((cells / "defective").iterdir())
    rows = list(csv.DictReader(run(predict, model, image, noise, "--csv").stdout.splitlines()))
    assert list(rows[0]) == ["image", "class", "confidence", "novelty", "decision", "reason", "defective", "functional"]
    assert float(rows[0]["novelty"]) < 1 < float(rows[1]["novelty"])
    assert (rows[1]["decision"], rows[1]["reason"]) == ("review", "novel")
    plain = run(predict, model, image, "--csv", "--max-error", "none").stdout.splitlines()
    assert plain[0] == "image,class,confidence,novelty,defective,functional"
    known, strange = json.loads(run(predict, model, image, noise, "--json", "--sets", "0.9").stdout)
    assert (known["novel"], strange["novel"]) == (False, True)
    assert (strange["decision"], strange["reason"]) == ("review", "novel")
    assert set(known["set"]) <= {"defective", "functional"}
    assert known["class"] in known["set"]


def test_sets_stand_in_a_column_of_their_own(model: Path, cells: Path) -> None:
    done = run(predict, model, cells / "defective", "--sets", "90%", "--by-class", "--max-error", "none")
    header, *rows = done.stdout.splitlines()
    assert header == "image\tclass\tconfidence\tsecond choice\tset\tmark"
    assert {row.split("\t")[4] for row in rows} <= {"defective", "functional", "defective, functional"}
    with pytest.raises(DataError, match="need at least 99 labelled images; found "):
        run(predict, model, cells, "--sets", "0.99")


def test_per_class_says_which_classes_go_to_review(model: Path, cells: Path) -> None:
    done = run(predict, model, cells, "--max-error", "0.13", "--per-class")
    assert done.exit_code == 0
    assert "wrong in every class" in done.stderr.splitlines()[0]
    reasons = {row.split("\t")[5] for row in done.stdout.splitlines()[1:]}
    assert "class not covered" in reasons or "no guarantee" in reasons


def test_a_guarantee_for_each_class_is_trained_in_and_can_be_loosened(cells: Path, tmp_path: Path) -> None:
    said = run(train, cells, "-o", tmp_path / "model", *QUICK, "--max-error", "30%", "--per-class").stdout
    assert "at most 30 % of them wrong in every class (95 % confidence)" in said
    assert "wrong in every class" in run(predict, tmp_path / "model", cells).stderr.splitlines()[0]
    assert "wrong in every class" in run(predict, tmp_path / "model", cells, "--max-error", "0.2").stderr
    assert "in every class" not in run(predict, tmp_path / "model", cells, "--overall").stderr.splitlines()[0]
    with pytest.raises(OptionError, match="per_class is about a guarantee: give max_error too"):
        Options(per_class=True)


def test_many_images_of_one_class_void_the_guarantee(model: Path, cells: Path) -> None:
    samples = solar_cells().samples
    known = {file.name for file in cells.glob("*/*")}
    rows = [row for row in range(len(samples)) if samples.classes[samples.labels[row]] == "functional"]
    others = [samples.items[row] for row in rows if samples.items[row].name not in known][:120]
    said = run(predict, model, *others).stderr
    assert "note: --on-shift warn would accept as usual, without the guarantee." in said
    assert "No guarantee: Label shift: the class prior differs from training (" in said
    assert "the guarantee is void here." in said


def test_repeats_and_training_images_do_not_void_it(model: Path, cells: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((cells / "functional").iterdir()) * 3):
        shutil.copy(file, tmp_path / f"{i}.png")
    assert "void here" not in run(predict, model, tmp_path).stderr
    assert "void here" not in run(predict, model, cells).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-error", "2"), "--max-error must lie between 0.0001 and 0.5; found '2': write 0.02 or 2%, or none"),
        (("--max-error", "0"), "found '0'"),
        (("--max-error", "nan"), "found 'nan'"),
        (("--max-error", "few"), "found 'few'"),
        (("--sets", "none"), "--sets must lie between 0.5 and 0.9999; found 'none', a share such as 0.02 or 2%"),
        (("--confidence", "0.5"), "--confidence must lie between 0.8 and 0.9999"),
        (("--by-class",), "--by-class says how --sets are made"),
        (("--max-error", "none", "--per-class"), "are about a guarantee: give --max-error too"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(words: tuple[str, ...], said: str, model: Path, cells: Path) -> None:
    with pytest.raises(OptionError, match=said):
        run(predict, model, cells, *words)


def test_a_fine_guarantee_needs_no_images_to_be_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--max-error must lie between"):
        run(train, tmp_path / "nowhere", "--max-error", "70%")


@pytest.mark.parametrize("words", [("--confidence", "0.9"), ("--per-class",), ("--per-class", "--max-error", "none")])
def test_train_refuses_what_only_a_guarantee_has(words: tuple[str, ...], cells: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--confidence and --per-class are about a guarantee: give --max-error too"):
        run(train, cells, "-o", tmp_path / "model", *words)
