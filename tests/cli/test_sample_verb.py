"""`headstart sample` as a person meets it."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headstart.cli import main, predict, sample, train
from headstart.errors import DataError


def run(*words: object) -> Result:
    return CliRunner().invoke(sample.command, [str(word) for word in words], catch_exceptions=False)


def test_it_says_what_it_made_and_what_to_do_with_it(tmp_path: Path) -> None:
    out = tmp_path / "my screens"
    done = run("screens", out, "--per-class", 2)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"drawn      12 screenshots in {out}"
    assert lines[1] == (
        f"known      {out}/known/: 2 of each of 5 kinds, packet-capture, port-scan, siem-dashboard, "
        "vulnerability-report, web-proxy"
    )
    assert lines[2] == f"unseen     {out}/unseen/: 2 of office programs, which belong to no kind"
    assert lines[3] == f"next       headstart train '{out}/known' -o screens-model"
    assert lines[4] == f"then       headstart predict screens-model '{out}/unseen'"
    assert run("screens", out, "--per-class", 2).stdout.splitlines()[0] == (
        f"drawn      12 screenshots in {out}, 12 of which were there already"
    )


def test_the_printed_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = run("screens", "out", "--per-class", 6).stdout.splitlines()
    training, predicting = (shlex.split(line)[3:] for line in lines[3:5])
    quick = ["--backbones", "lite0", "--heads", "ridge", "--repeats", "1"]
    assert CliRunner().invoke(train.command, [*training, *quick], catch_exceptions=False).exit_code == 0
    done = CliRunner().invoke(predict.command, [*predicting, "--json"], catch_exceptions=False)
    answers = json.loads(done.stdout)
    assert len(answers) == 6
    assert sorted(answers[0]["probabilities"]) == [
        *("packet-capture", "port-scan", "siem-dashboard", "vulnerability-report", "web-proxy"),
    ]


def test_it_prints_json(tmp_path: Path) -> None:
    assert json.loads(run("screens", tmp_path / "out", "--per-class", 1, "--json").stdout) == {
        "known": str(tmp_path / "out" / "known"),
        "unseen": str(tmp_path / "out" / "unseen"),
        "images": 6,
        "drawn": 6,
    }


def test_it_is_a_verb() -> None:
    assert "sample" in main.VERBS


def test_wrong_input_is_answered(tmp_path: Path) -> None:
    assert run("screen", tmp_path).exit_code == 2
    assert "'screen' is not one of 'screens', 'fields'" in run("screen", tmp_path).stderr
    assert run("screens").exit_code == 2
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty and was not made by this generator"):
        run("screens", tmp_path)
