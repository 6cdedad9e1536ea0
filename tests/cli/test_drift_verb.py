"""`headstart drift` as a person meets it: sentences, a page, a plot, JSON, exit codes, wrong input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.conftest import headstart

from headstart.cli import drift
from headstart.errors import DataError, OptionError


def run(*words: object) -> Result:
    return CliRunner().invoke(drift.command, [str(word) for word in words])


def test_it_says_what_was_found_which_images_show_it_and_what_to_do(watched: Path) -> None:
    done = run(watched / "model", watched / "closer")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    table = lines[lines.index("") + 1 :]
    assert table[0] == "most foreign\tprediction\tconfidence"
    assert all("closer/" in line for line in table[1:6])
    assert lines[0].startswith(
        "result      Covariate shift: the batch differs from the training data (20 images against "
    )
    assert lines[1].startswith("compared    with ")
    assert lines[1].endswith("of the 100 images that the model was trained on")
    assert any(line.startswith("classes     predicted, in training → here: ") for line in lines)
    assert any(line.endswith("; drift at 0.05 or less") for line in lines)
    assert any(
        line.startswith("next        Void for this batch: the guarantee of 'headstart predict --max-error'")
        for line in lines
    )


def test_no_drift_is_said_in_few_lines(watched: Path) -> None:
    done = run(watched / "model", watched / "new", "--fail-on-drift")
    assert done.exit_code == 0
    assert done.stdout.startswith("result      No drift found (")
    assert done.stdout.splitlines()[-1].startswith("next        Nothing was found against using the model")


def test_the_page_shows_the_foreign_beside_training_images_where_they_are_given(watched: Path, tmp_path: Path) -> None:
    page, plot = tmp_path / "new" / "drift.html", tmp_path / "plot.svg"
    done = run(watched / "model", watched / "closer", "--html", page, "--svg", plot, "--shown", 3)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-2:] == [f"page        {page}", f"plot        {plot}"]
    text = page.read_text()
    assert text.count("<img ") == 6
    assert "In the batch, most like training" in text
    assert plot.read_text().startswith("<svg ")
    run(watched / "model", watched / "closer", "--html", page, "--shown", 3, "--reference", watched / "train")
    text = page.read_text()
    assert "Training images, least like the batch" in text
    assert text.count("<img ") == 6
    assert [path.name for path in page.parent.iterdir()] == ["drift.html"]


def test_it_prints_json(watched: Path) -> None:
    done = run(watched / "model", watched / "negatives", "--json")
    found = json.loads(done.stdout)
    assert found["drifted"] is True
    assert found["only_the_shares_of_the_classes_differ"] is True
    assert found["void"] == ["max-error"]
    assert found["shares_of_answers"]["negative"]["batch"] == 1.0
    assert set(found["most_foreign"][0]) == {"image", "class", "confidence", "more_foreign_than"}
    assert len(found["most_foreign"]) == 12


def test_a_pipeline_can_stop_at_drift(watched: Path) -> None:
    command = ("drift", watched / "model", watched / "closer")
    assert headstart(*command).returncode == 0
    stopped = headstart(*command, "--fail-on-drift")
    assert (stopped.returncode, stopped.stderr) == (1, "")
    wrong = headstart(*command, "--level", "2")
    assert wrong.returncode == 2
    assert wrong.stderr == "error: level must lie between 0.001 and 0.5; found 2.0.\n"


def test_places_that_cannot_be_written_are_refused_before_any_work(watched: Path, tmp_path: Path) -> None:
    wrong = run(watched / "model", watched / "new", "--html", tmp_path / "page.txt")
    assert isinstance(wrong.exception, OptionError)
    assert str(wrong.exception).startswith("--html must name a file that ends in .html; found ")
    (tmp_path / "folder.html").mkdir()
    assert isinstance(
        run(watched / "model", watched / "new", "--html", tmp_path / "folder.html").exception, OptionError
    )


def test_few_images_and_columns_without_a_table_are_refused(watched: Path) -> None:
    one = next((watched / "new").iterdir())
    with pytest.raises(DataError, match="drift needs at least 10 different images in the batch; found 1"):
        raise run(watched / "model", one).exception or AssertionError
    with pytest.raises(OptionError, match="--path-column and --group-column are for a table"):
        raise run(watched / "model", watched / "new", "--group-column", "film").exception or AssertionError


def test_a_page_that_cannot_be_written_does_not_cost_the_answer(
    watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "drift.html")

    monkeypatch.setattr("headstart.report.write.write_atomically", full)
    done = run(watched / "model", watched / "closer", "--html", tmp_path / "drift.html")
    assert isinstance(done.exception, OSError)
    assert "result      Covariate shift: the batch differs from the training data" in done.stdout
