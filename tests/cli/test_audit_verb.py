"""`headstart audit` as a person meets it: a table, files, JSON, wrong input."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headstart.cli import audit
from headstart.errors import DataError, OptionError


def run(*words: object) -> Result:
    return CliRunner().invoke(audit.command, [str(word) for word in words])


@pytest.fixture(scope="module")
def copied(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit") / "cells"
    shutil.copytree(cells, root)
    first = sorted((root / "functional").iterdir())[0]
    shutil.copy(first, root / "functional" / "zz.png")
    return root


def test_it_prints_what_was_found_and_what_to_do_next(copied: Path) -> None:
    done = run(copied)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "result     4 images that repeat others"
    assert lines[1] == "data       51 images of 2 classes"
    assert lines[lines.index("") + 1].split("\t") == ["found", "count", "proposed", "for example"]
    exact = next(line for line in lines if line.startswith("exact duplicate\t"))
    assert exact.split("\t")[1:3] == ["1", "group"]
    assert not any(line.startswith("next ") for line in lines)  # duplicates need nothing from the reader
    assert "note: The data name no groups" in done.stderr


def test_what_a_person_should_decide_is_a_reason_for_a_plan(copied: Path, tmp_path: Path) -> None:
    root = tmp_path / "cells"
    shutil.copytree(copied, root)
    (root / "functional" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    done = run(root, "--html", tmp_path / "audit.html")
    line = f"next       write what is proposed, to be edited: headstart audit {root} --fix plan.csv"
    assert done.stdout.splitlines()[-1] == line
    assert f"headstart audit {root} --fix plan.csv" in (tmp_path / "audit.html").read_text()


def test_it_writes_the_findings_and_a_plan(copied: Path, tmp_path: Path) -> None:
    done = run(copied, "--csv", tmp_path / "all.csv", "--fix", tmp_path / "plan.csv", "--plan-duplicates")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "all.csv").read_text().startswith("path,kind,severity,proposal,group,compared with,sentence\n")
    plan = (tmp_path / "plan.csv").read_text()
    assert plan.startswith("path,action,reason,group\n")
    assert "functional/zz.png,group,exact duplicate: It has the same bytes as " in plan
    assert done.stdout.splitlines()[-1].endswith("read it and change the column 'action' where you disagree")


def test_it_writes_a_page_with_pictures(copied: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "audit.html"
    done = run(copied, "--html", page, "--shown", 1)
    assert done.exit_code == 0, done.output
    assert f"page       {page}" in done.stdout.splitlines()
    text = page.read_text()
    assert "Audit of cells: 51 images of 2 classes" in text
    assert f"headstart train {copied}" in text
    assert "Duplicates need nothing from you" in text
    shown = text.partition('id="exact-duplicate"')[2].partition("</section>")[0]
    assert shown.count("<img ") == 1
    assert "functional/<wbr>zz.png" in shown
    assert [path.name for path in page.parent.iterdir()] == ["audit.html"]


def test_a_page_that_cannot_be_written_does_not_cost_the_answer(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "audit.html")

    monkeypatch.setattr("headstart.report.write.write_atomically", full)
    done = run(copied, "--html", tmp_path / "audit.html")
    assert isinstance(done.exception, OSError)
    assert "data       51 images of 2 classes" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_prints_json(copied: Path) -> None:
    found = json.loads(run(copied, "--json").stdout)
    assert found["images"] == 51
    assert found["counts"]["exact duplicate"] == 1


def test_a_plan_that_may_hold_edits_is_not_overwritten(copied: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.csv"
    plan.write_text("mine")
    done = run(copied, "--fix", plan)
    assert isinstance(done.exception, OptionError)
    assert (
        str(done.exception)
        == f"--fix names {str(plan)!r}, which is there already and may hold edits: name another file."
    )
    assert plan.read_text() == "mine"


def test_places_that_cannot_be_written_are_refused_before_any_work(copied: Path, tmp_path: Path) -> None:
    folder = run(copied, "--csv", tmp_path)
    assert str(folder.exception) == f"--csv must name a file; found the folder {str(tmp_path)!r}."
    both = run(copied, "--csv", tmp_path / "x.csv", "--fix", tmp_path / "x.csv")
    assert str(both.exception) == f"--csv and --fix must name two files; found {str(tmp_path / 'x.csv')!r} for both."
    html = run(copied, "--html", tmp_path / "x.csv")
    assert str(html.exception) == f"--html must name a file that ends in .html; found {str(tmp_path / 'x.csv')!r}."
    same = run(copied, "--html", tmp_path / "x.html", "--fix", tmp_path / "." / "x.html")
    assert str(same.exception) == f"--fix and --html must name two files; found {str(tmp_path / 'x.html')!r} for both."
    (tmp_path / "page.html").mkdir()
    assert str(run(copied, "--html", tmp_path / "page.html").exception).startswith("--html must name a file; found the")
    assert str(run(copied, "--shown", 0).exception) == "--shown must be at least 1; found 0."
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "gone").exception, DataError)


def test_one_class_is_not_called_ready_for_training(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "one" / "functional").mkdir(parents=True)
    for file in sorted((cells / "functional").iterdir())[:3]:
        shutil.copy(file, tmp_path / "one" / "functional")
    done = run(tmp_path / "one")
    assert done.exit_code == 0, done.output
    assert "nothing was found" not in done.stdout
    assert (
        "train      no model can be trained on these images yet: there is only one class, 'functional' (3 images): at "
        "least two are needed to tell apart."
    ) in done.stdout.splitlines()
