"""`headstart advise` as a person meets it: position, tables, forecast, JSON, wrong input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headstart.cli import advise
from headstart.cli.main import headstart
from headstart.errors import DataError, MissingExtra, OptionError, UnknownBackbone
from headstart.verbs.advise import advise as advice


@pytest.fixture(autouse=True)
def no_fine_tunes(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise MissingExtra("Training inside a backbone", "finetune", "torch")

    monkeypatch.setattr(advice, "forecast_fine_tunes", missing)


def run(*words: object) -> Result:
    return CliRunner().invoke(advise.command, [str(word) for word in words])


def refused(*words: object) -> BaseException:
    done = run(*words)
    assert done.exit_code != 0
    assert done.stdout == ""
    assert done.exception is not None
    return done.exception


def test_the_advice_comes_first_then_the_position_then_the_tables_then_the_cost_then_what_measures(cells: Path) -> None:
    done = run(cells)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "advice      begin with probe (2 of 6 tables that say something here advise it); measured by: headstart train "
        f"{cells}"
    )
    assert lines[1] == (
        "size        50 images of 2 classes; smallest class 20, median 20 (the band of 20 to 99 a class)"
    )
    assert lines[2].startswith("similarity  ")
    assert lines[2].endswith("measured on 50 images:")
    order = ["sign\tsays", "What the tables advise there", "The tables", "What it would cost here"]
    places = [next(i for i, line in enumerate(lines) if line.startswith(text)) for text in order]
    assert places == sorted(places)
    assert "cs231n.github.io/transfer-learning" in done.stdout
    assert "Fine-tunes are not forecast" in done.stdout
    assert lines[-1] == (
        f"This is a prior, from tables that saw other data; to measure on yours: headstart train {cells}"
    )


def test_json_holds_the_same(cells: Path) -> None:
    found = json.loads(run(cells, "--json").stdout)
    assert found["counts"] == {"defective": 20, "functional": 30}
    assert found["similarity"]["verdict"] in ("similar", "different", "in between")
    assert len(found["similarity"]["signals"]) == 4
    assert found["advice"][0]["table"] == "CS231n notes"
    assert found["band"] == "20 to 99"
    assert [each["strategy"] for each in found["forecasts"]] == ["probe", "ridge", "svm", "mlp"]


def test_wrong_input_is_answered_in_a_sentence(cells: Path, tmp_path: Path) -> None:
    assert isinstance(refused(tmp_path / "absent"), DataError)
    assert isinstance(refused(cells, "--backbone", "lite0,lite2"), OptionError)
    assert isinstance(refused(cells, "--backbone", ""), OptionError)
    assert isinstance(refused(cells, "--backbone", "lite00"), UnknownBackbone)
    assert isinstance(refused(cells, "--max-unreadable", "101"), OptionError)
    assert isinstance(refused(cells, "--device", "tpu"), OptionError)


def test_the_verb_is_listed() -> None:
    assert "advise" in CliRunner().invoke(headstart, ["--help"]).output
