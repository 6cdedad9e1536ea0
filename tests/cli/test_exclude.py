"""`--exclude` of the verbs that measure and do not train: a plan is followed, a wrong one refused, as `train` does."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from headstart.cli.main import headstart
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, MissingExtra
from headstart.fingerprint import hash_file
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared
from headstart.verbs.advise import advise

HEADER = "path,action,reason,group\n"
QUICK = {
    "rank": ("--backbones", "lite0"),
    "depth": ("--backbones", "lite0"),
    "advise": (),
    "curve": ("--backbones", "lite0", "--no-random"),
}


@pytest.fixture(autouse=True)
def no_fine_tunes(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object, **options: object) -> None:
        raise MissingExtra("Training inside a backbone", "finetune", "torch")

    monkeypatch.setattr(advise, "forecast_fine_tunes", missing)


@pytest.fixture
def names(cells: Path) -> list[str]:
    return [f"{path.parent.name}/{path.name}" for path in sorted(cells.glob("*/*"))]


@pytest.fixture
def plan(names: list[str], tmp_path: Path) -> Path:
    """Two images left out, two of one class held together."""
    place = tmp_path / "plan.csv"
    lines = (f"{names[0]},exclude,,", f"{names[30]},exclude,,", f"{names[40]},group,,a", f"{names[45]},group,,a")
    place.write_text(HEADER + "\n".join(lines) + "\n")
    return place


def run(verb: str, cells: Path, plan: Path, *more: str) -> Result:
    return CliRunner().invoke(headstart, [verb, str(cells), "--exclude", str(plan), *QUICK[verb], *more])


@pytest.mark.parametrize("verb", QUICK)
def test_excluded_images_take_no_part_and_that_is_said(verb: str, cells: Path, plan: Path) -> None:
    done = run(verb, cells, plan, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert "Left out by the plan: 2 images." in found["notes"]
    assert "Held together by the plan: 2 images in 1 group." in found["notes"]
    counts = found["data"]["counts"] if "data" in found else found["counts"]
    assert counts == {"defective": 19, "functional": 29}
    if "data" in found:
        assert found["data"]["exclusions"] == hash_file(plan)


@pytest.mark.parametrize("verb", ["rank", "advise"])
def test_the_command_named_next_follows_the_plan_too(verb: str, cells: Path, plan: Path) -> None:
    last = run(verb, cells, plan).stdout.splitlines()[-1]
    assert f"headstart train {cells} " in last
    assert f"--exclude {plan}" in last


@pytest.mark.parametrize("verb", QUICK)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,action\n", "lacks the columns 'group'"),
        (HEADER + "a.png,leave,,\n", "line 2: the action must be one of 'exclude', 'keep', 'group'; found 'leave'"),
        (HEADER + "a.png,exclude,,\n", "cannot be applied: no image that the plan names is in these data"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_before_any_work(
    verb: str, text: str, message: str, cells: Path, tmp_path: Path
) -> None:
    (tmp_path / "plan.csv").write_text(text)
    done = run(verb, cells, tmp_path / "plan.csv")
    assert isinstance(done.exception, DataError)
    assert message in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize("verb", QUICK)
def test_a_plan_that_is_not_there_is_refused(verb: str, cells: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.csv does not exist"):
        raise run(verb, cells, tmp_path / "plan.csv").exception or AssertionError("it was taken")


def test_advise_holds_the_right_images_together(
    cells: Path, plan: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Dataset] = []

    def caught(loaded: Dataset, options: Options) -> Prepared:
        seen.append(loaded)
        raise DataError("seen")

    monkeypatch.setattr(advise, "embed_subsample", caught)
    with pytest.raises(DataError, match="seen"):
        advise.advise(load_dataset(cells), options=replace(Options(backbones=("lite0",)), exclude=str(plan)))
    (loaded,) = seen
    assert loaded.together == ()
    groups = loaded.samples.groups
    assert groups is not None
    shared = np.flatnonzero(np.bincount(groups)[groups] > 1)
    assert [loaded.samples.names[row] for row in shared] == [names[40], names[45]]
