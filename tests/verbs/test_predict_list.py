"""A list of any length: every row once, in order, whatever stops the run."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import headstart, refused

import headstart as api
from headstart.model.load import load_model
from headstart.verbs import predict_list as lists

SOURCE = Path(__file__).parents[2] / "src"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def listed(pictures: list[Path], tmp_path: Path) -> Path:
    path = tmp_path / "files.txt"
    (tmp_path / "broken.png").write_bytes(b"no image")
    lines = [*map(str, pictures[:6]), "", str(tmp_path / "broken.png"), *map(str, pictures[:3])]
    path.write_text("\n".join(lines))
    return path


def test_rows_are_those_of_predict_in_the_lists_order(listed: Path, saved_model: Path, tmp_path: Path) -> None:
    result = api.predict_list(saved_model, listed, tmp_path / "a.csv", max_error=0.3)
    assert (result.rows, result.before, result.unreadable) == (10, 0, 1)
    paths = [line for line in listed.read_text().split("\n") if line]
    rows = rows_of(tmp_path / "a.csv")
    predictor = load_model(saved_model)
    predictions = predictor.predict(paths)
    assert [row["image"] for row in rows] == paths
    assert [row["class"] or None for row in rows] == list(predictions.labels)
    numbers = [float(row[predictor.classes[0]]) for row in rows if row["class"]]
    assert np.allclose(numbers, predictions.probabilities[predictions.readable][:, 0], atol=1e-6)
    assert rows[6]["reason"] == "unreadable"
    assert "not an image" in rows[6]["unreadable"]
    decided = predictor.decide(predictions, max_error=0.3).words
    assert [row["decision"] for row in rows] == list(decided)


def test_every_form_holds_the_same_rows(
    listed: Path, saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(lists, "CHUNK", 4)
    for form in ("csv", "jsonl", "parquet"):
        done = headstart("predict", saved_model, "--list", listed, "-o", tmp_path / f"a.{form}")
        assert done.returncode == 0, done.stderr
        assert "10 rows" in done.stdout
    records = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    rows = rows_of(tmp_path / "a.csv")
    assert [r["class"] for r in records] == [r["class"] for r in table] == [r["class"] or None for r in rows]
    assert records[6]["probabilities"] is None
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_run_that_was_killed_goes_on_without_losing_or_repeating_a_row(
    pictures: list[Path], saved_model: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "files.txt"
    listed.write_text("\n".join(str(pictures[i % 6]) for i in range(60)))
    code = (
        "import sys; from headstart.verbs import predict_list as lists; lists.CHUNK = 5\n"
        f"lists.predict_list({str(saved_model)!r}, {str(listed)!r}, {str(tmp_path / 'a.csv')!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", code]
    journal = tmp_path / ".a.csv.journal"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as run:
        while not journal.exists() or json.loads(journal.read_bytes())["state"]["rows"] < 10:
            assert run.poll() is None
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    assert not (tmp_path / "a.csv").exists()
    result = api.predict_list(saved_model, listed, tmp_path / "a.csv")
    assert 10 <= result.before < 60
    rows = rows_of(tmp_path / "a.csv")
    assert [row["image"] for row in rows] == listed.read_text().split("\n")


def test_bad_requests_are_refused(listed: Path, saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "is there already" in refused("predict", saved_model, "--list", listed, "-o", tmp_path / "there.csv")
    assert "must end in .csv" in refused("predict", saved_model, "--list", listed, "-o", tmp_path / "a.txt")
    assert "names no file" in refused(
        "predict", saved_model, "--list", tmp_path / "empty.txt", "-o", tmp_path / "a.csv"
    )
    assert "cannot be read" in refused("predict", saved_model, "--list", tmp_path / "none", "-o", tmp_path / "a.csv")
    assert "belong together" in refused("predict", saved_model, "--list", listed)
    assert "cannot be given together" in refused("predict", saved_model, "x.png", "--list", listed, "-o", "a.csv")
    assert "--sets cannot be given with --list" in refused(
        "predict", saved_model, "--list", listed, "-o", tmp_path / "a.csv", "--sets", "0.9"
    )
    assert (tmp_path / "there.csv").read_text() == "mine"
