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
    assert lines[0].split("\t") == ["found", "count", "proposed", "for example"]
    exact = next(line for line in lines if line.startswith("exact copy\t"))
    assert exact.split("\t")[1:3] == ["1", "group"]
    assert "data       51 images of 2 classes" in lines
    assert lines[-1] == f"next       headstart audit {copied} --fix plan.csv writes what is proposed, to be edited"
    assert "note: The data name no groups" in done.stderr


def test_it_writes_the_findings_and_a_plan(copied: Path, tmp_path: Path) -> None:
    done = run(copied, "--csv", tmp_path / "all.csv", "--fix", tmp_path / "plan.csv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "all.csv").read_text().startswith("path,kind,severity,proposal,group,compared with,sentence\n")
    assert (tmp_path / "plan.csv").read_text().startswith("path,action,reason,group\n")
    assert done.stdout.splitlines()[-1].endswith("read it and change the column 'action' where you disagree")


def test_it_prints_json(copied: Path) -> None:
    found = json.loads(run(copied, "--json").stdout)
    assert found["images"] == 51
    assert found["counts"]["exact copy"] == 1


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


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "gone").exception, DataError)
