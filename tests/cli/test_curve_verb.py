"""`headstart curve` as a person meets it: real photographs, wrong input too."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests import conftest
from tests.conftest import headstart

QUICK = ("--backbones", "lite0", "--no-random")


def curve(*words: object) -> conftest.Finished:
    return headstart("curve", *words)


def refused(*words: object) -> str:
    return conftest.refused("curve", *words)


def test_a_table_an_answer_and_a_plot(cells: Path, tmp_path: Path) -> None:
    done = curve(cells, *QUICK, "--target", "90%", "--svg", tmp_path / "plots" / "cells.svg")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("answer      90 % ")
    assert lines[1].startswith("data        50 images of 2 classes")
    table = lines[lines.index("") + 1 :]
    assert table[0] == "labels per class\tpretrained features\t95 %"
    assert [line.split("\t")[0] for line in table[1:10]] == ["1", "2", "3", "5", "7", "10", "15", "20", "all, unequal"]
    assert lines[-1] == f"plot        {tmp_path}/plots/cells.svg"
    plot = ElementTree.parse(tmp_path / "plots" / "cells.svg").getroot()
    assert plot.tag.endswith("svg")
    assert "note: The curve ends at 20 labels per class" in done.stderr


def test_json_is_all_there_is_on_standard_output(cells: Path) -> None:
    done = curve(cells, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"]["target"] == 0.95
    assert [point["labels_per_class"] for point in told["series"][0]["points"]] == [1, 2, 3, 5, 7, 10, 15, 20]
    assert told["whole"]["value"] > 0.5
    assert any(note.startswith("The curve ends at 20 labels") for note in told["notes"])


def test_wrong_input_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    assert "--target must lie between 0.01 and 1; found '95': write 0.95 or 95%." in refused(cells, "--target", "95")
    assert "--svg must name a file that ends in .svg" in refused(cells, "--svg", tmp_path / "plot.png")
    assert "does not exist" in refused(tmp_path / "nothing")
    assert "backbones is an empty list" in refused(cells, "--backbones", "")


def test_one_class_is_refused_with_a_sentence(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "defective").symlink_to(cells / "defective")
    assert "there is only one class, 'defective'" in refused(tmp_path, *QUICK)
