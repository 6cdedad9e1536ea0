"""What a person sees: at 80 and 60 columns, less and more of it, and where arguments are swapped."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import headstart, refused

from headstart.cli import main

WIDTHS = (60, 80)


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "words",
    [("info",), ("info", "--details"), ("evaluate", "--details"), ("predict",), ("predict", "--sets", "0.9")],
    ids=" ".join,
)
def test_every_line_fits(words: tuple[str, ...], width: int, saved_model: Path, cells: Path) -> None:
    data = {"info": [], "evaluate": [cells], "predict": [cells]}[words[0]]
    done = headstart(words[0], saved_model, *data, *words[1:], COLUMNS=str(width))
    assert done.returncode == 0, done.stderr
    paths = re.compile(rf"{re.escape(str(saved_model))}\S*|{re.escape(str(cells))}\S*")  # longer than a line may be
    assert widest(paths.sub("PATH", done.stdout)) <= width
    assert widest(paths.sub("PATH", done.stderr) or " ") <= width
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_not_about_a_model_fits_too(width: int, cells: Path, tmp_path: Path) -> None:
    commands = [
        ("audit", cells),
        ("embed", cells, "-o", tmp_path / "e.npz"),
        ("sample", "screens", tmp_path / "s", "--per-class", "1"),
        ("cache",),
    ]
    for words in commands:
        done = headstart(*words, COLUMNS=str(width))
        assert done.returncode == 0, done.stderr
        paths = re.compile(rf"(?:{re.escape(str(tmp_path))}|{re.escape(str(cells))}|/)\S*")
        assert widest(paths.sub("PATH", done.stdout)) <= width, words
        assert widest(paths.sub("PATH", done.stderr) or " ") <= width, words


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", [("--help",), *((verb, "--help") for verb in main.VERBS)], ids=" ".join)
def test_help_fits(words: tuple[str, ...], width: int) -> None:
    assert widest(headstart(*words, COLUMNS=str(width)).stdout) <= width


def test_every_summary_is_one_whole_line_of_80_columns() -> None:
    lines = headstart("--help", COLUMNS="80").stdout.splitlines()
    for title, verbs in main.GROUPS.items():
        assert f"{title}:" in lines
        for verb, summary in verbs.items():
            assert f"  {verb:<10}  {summary}" in lines
            assert summary.endswith(".")


def test_train_s_help_begins_with_the_five_options_that_matter() -> None:
    said = headstart("train", "--help", COLUMNS="80").stdout
    first = said[said.index("The options that matter first:") : said.index("What is learnt from:")]
    assert re.findall(r"^  (?:-o, )?(--[a-z-]+)", first, re.MULTILINE) == [
        *("--output", "--budget", "--max-error", "--strategy", "--backbones"),
    ]
    assert said.index("--seed") < said.index("Fine-tuning (with --strategy):") < said.index("--epochs")


def test_the_help_of_all_loads_no_verb() -> None:
    code = (
        "import sys\nfrom headstart.cli.main import main\nsys.argv[:] = ['headstart', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    print(*(n for n in sys.modules if n.startswith('headstart.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) <= {"headstart.cli.main", "headstart.cli.show"}


def test_train_says_what_it_found_then_the_steps_then_the_answer(cells: Path, tmp_path: Path) -> None:
    quick = ("--backbones", "lite0", "--heads", "ridge", "--repeats", "1")
    done = headstart("train", cells, "-o", tmp_path / "model", *quick)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == (
        f"data       50 images of 2 classes in {cells} (defective 20, functional 30); no splits: each image is tested "
        "by models that have not seen it"
    )
    steps = [line for line in lines if line.startswith("step ")]
    assert [line[:11] for line in steps] == ["step 1 of 4", "step 2 of 4", "step 3 of 4", "step 4 of 4"]
    assert "fitting the best: multi-layer ridge on " in steps[2]
    assert done.stdout.startswith("result     ")
    quiet = headstart("train", cells, "-o", tmp_path / "quiet", *quick, "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout.startswith("result     ")
    assert headstart("--quiet", "info", tmp_path / "quiet").stderr == ""


def test_swapped_arguments_are_answered_with_the_right_order(saved_model: Path, cells: Path) -> None:
    for verb in ("predict", "evaluate", "drift", "extend", "forgetting"):
        said = refused(verb, cells, saved_model)
        assert f"the model comes first: headstart {verb} {saved_model} {cells}" in said


def test_evaluate_writes_a_row_an_image_and_a_page(saved_model: Path, cells: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "rows.csv", tmp_path / "page.html"
    done = headstart("evaluate", saved_model, cells, "--csv", table, "--html", page)
    assert done.returncode == 0, done.stderr
    assert f"page       {page}" in done.stdout
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 50
    assert {row["truth"] for row in rows} == {"defective", "functional"}
    assert "of the predictions are right" in page.read_text()
    assert "must name a file that ends in .html" in refused("evaluate", saved_model, cells, "--html", tmp_path)


def test_predict_counts_the_classes_at_the_end(saved_model: Path, cells: Path) -> None:
    done = headstart("predict", saved_model, cells)
    assert re.search(r"^counts     functional \d+, defective \d+", done.stderr, re.MULTILINE)
    assert "counts" not in done.stdout
    seen = headstart("predict", saved_model, cells, COLUMNS="80").stdout
    assert seen.startswith(f"images in {cells}/") or len(str(cells)) > 60
