"""`headstart train --exclude`: a reviewed plan is followed, and that is said and recorded; a wrong one is refused."""

import json
from pathlib import Path

import pytest
from tests.conftest import Finished, headstart

from headstart.fingerprint import hash_file

HEADER = "path,action,reason,group\n"


def train(cells: Path, plan: Path, output: Path) -> Finished:
    options = ("--heads", "ridge", "--backbones", "lite0", "--repeats", "1")
    return headstart("train", cells, "-o", output, *options, "--exclude", plan)


def test_excluded_images_take_no_part_and_grouped_ones_stay_together(cells: Path, tmp_path: Path) -> None:
    names = [f"{path.parent.name}/{path.name}" for path in sorted(cells.glob("*/*"))]
    lines = [f"{names[0]},exclude,blurred,", f"{names[30]},exclude,,", f"{names[5]},group,,a", f"{names[6]},group,,a"]
    plan = tmp_path / "plan.csv"
    plan.write_text(HEADER + "\n".join([*lines, f"{names[8]},keep,,"]) + "\n")
    done = train(cells, plan, tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert "note: Left out by the plan: 2 images." in done.stderr
    assert "note: Held together by the plan: 2 images in 1 group." in done.stderr
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    assert sum(manifest["data"]["counts"].values()) == 48
    assert manifest["data"]["exclusions"] == hash_file(plan)
    assert manifest["training"]["options"]["exclude"] == str(plan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,action\n", "lacks the columns 'group'"),
        (HEADER + "a.png,leave,,\n", "line 2: the action must be one of 'exclude', 'keep', 'group'; found 'leave'"),
        (HEADER + "a.png,exclude,,\n", "cannot be applied: no image that the plan names is in these data"),
        (HEADER + "{first},exclude,,\nb.png,exclude,,\n", "the plan names 1 image that the data do not hold, 'b.png'"),
        (HEADER + "{defective}", "the plan excludes every image of 'defective'; set the action of those to use"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_in_one_sentence(
    text: str, message: str, cells: Path, tmp_path: Path
) -> None:
    names = [f"{path.parent.name}/{path.name}" for path in sorted((cells / "defective").iterdir())]
    every = "".join(f"{name},exclude,,\n" for name in names)
    plan = tmp_path / "plan.csv"
    plan.write_text(text.replace("{first}", names[0]).replace("{defective}", every))
    done = train(cells, plan, tmp_path / "model")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model").exists()


def test_a_plan_that_is_not_there_is_refused(cells: Path, tmp_path: Path) -> None:
    done = train(cells, tmp_path / "plan.csv", tmp_path / "model")
    assert done.returncode == 2
    assert "plan.csv does not exist" in done.stderr
