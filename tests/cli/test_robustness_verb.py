"""`headstart robustness` as a person meets it."""

import json
from pathlib import Path

from tests.conftest import headstart, refused

from headstart.verbs.robustness import robustness


def test_it_says_where_the_model_breaks_and_draws_a_plot(watched: Path, tmp_path: Path) -> None:
    # the training images are known, so `new` under its two classes is made from names
    data = tmp_path / "data"
    for path in sorted((watched / "new").glob("*.png"))[:24]:
        folder = data / path.name.partition("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    plot = tmp_path / "plot.svg"
    words = (watched / "model", data, "--kinds", "night,blur", "--severities", "1,5")
    done = headstart("robustness", *words, "--svg", plot)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("clean      ")
    assert lines[1].startswith(("worst      night", "worst      blur", "worst      clean"))
    assert "corruption\tseverity\taccuracy\t95 %\tcalibration error\taccepted" in lines
    assert sum(line.startswith(("night\t", "blur\t")) for line in lines) == 4
    assert plot.read_text().startswith("<svg")
    facts = json.loads(headstart("robustness", *words[:2], "--kinds", "jpeg", "--severities", "2", "--json").stdout)
    assert [condition["kind"] for condition in facts["conditions"]] == ["clean", "jpeg"]
    assert facts["images"] == 24


def test_what_cannot_be_scored_is_said(watched: Path, cells: Path) -> None:
    model = watched / "model"
    assert "found 0 (and 100 that are unreadable or that it was trained on)" in refused(
        "robustness", model, watched / "train"
    )
    assert "which the model does not know" in refused("robustness", model, cells)
    assert "corruption must be one of" in refused("robustness", model, watched / "train", "--kinds", "snow")
    assert "--severities must be whole numbers" in refused("robustness", model, watched / "train", "--severities", "x")


def test_the_same_seed_gives_the_same_numbers(watched: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for path in sorted((watched / "new").glob("*.png"))[:12]:
        folder = data / path.name.partition("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    one, other = (robustness(watched / "model", data, kinds=["noise"], severities=[4]) for _ in range(2))
    assert one.conditions == other.conditions
    assert one.mean("noise") == one.conditions[1].accuracy.value
