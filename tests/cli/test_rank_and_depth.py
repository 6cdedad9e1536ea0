"""`headstart rank` and `headstart depth` as a person meets them: tables, JSON, a plot, wrong input."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from headstart.cli import depth, rank
from headstart.cli.main import headstart
from headstart.errors import OptionError, UnknownBackbone


def run(verb: object, *words: object) -> Result:
    return CliRunner().invoke(verb.command, [str(word) for word in words])


def refused(verb: object, *words: object) -> BaseException:
    done = run(verb, *words)
    assert done.exit_code != 0
    assert done.stdout == ""
    assert done.exception is not None
    return done.exception


def test_rank_prints_a_table_the_data_and_what_to_do_next(cells: Path) -> None:
    done = run(rank, cells)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split("\t") == [
        *("backbone", "LogME", "H-score", "kNN", "probe", "95 %", "against the chosen", "ms/image", "")
    ]
    assert {line.split("\t")[0] for line in lines[1:3]} == {"efficientnet_lite0", "efficientnet_lite2"}
    assert lines[1].endswith("\tchosen")
    assert lines[3].startswith("data       50 images of 2 classes (defective 20, functional 30); 5 folds, 5 times")
    assert lines[3].endswith("always the most frequent class: 60.0 %")
    best = lines[1].split("\t")[0]
    assert lines[4].startswith(f"next       headstart train {cells} --backbones {best} would use")


def test_rank_prints_json(cells: Path) -> None:
    found = json.loads(run(rank, cells, "--backbones", "lite0", "--json").stdout)
    assert [line["name"] for line in found["backbones"]] == ["efficientnet_lite0"]
    assert found["unavailable"] == []


def test_backbones_that_are_not_here_are_listed_and_do_not_stop_the_others(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.backbones import names
    from headstart.errors import BackboneError

    opened = names.open_backbone

    def offline(name: str, **options: object) -> object:
        if "lite" not in name:
            raise BackboneError(f"backbone {name!r} needs its published weights, and nobody answers.")
        return opened(name, **options)

    monkeypatch.setattr(names, "open_backbone", offline)
    done = run(rank, cells, "--backbones", "vgg16,lite0,vgg19")
    assert done.exit_code == 0, done.output
    assert [line.split("\t")[0] for line in done.stdout.splitlines()[1:4]] == ["efficientnet_lite0", "vgg16", "vgg19"]
    assert done.stdout.count("\tnot here") == 2
    assert "note: backbone 'vgg16' needs its published weights, and nobody answers. The same holds for 1 more" in (
        done.stderr
    )


def test_depth_prints_a_table_a_backbone_and_what_follows(cells: Path, tmp_path: Path) -> None:
    plot = tmp_path / "new" / "depth.svg"
    done = run(depth, cells, "--svg", plot)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[2:4] == ["efficientnet_lite0", "layer\twidth\tscore\t95 %\tagainst the best\t"]
    assert [line.split("\t")[0] for line in lines[4:13]] == ["stem", *(f"blocks.{i}" for i in range(7)), "conv_head"]
    assert sum(line.endswith("\tbest") for line in lines) == 2
    assert "fine-tuning" in lines[13]
    assert "efficientnet_lite2" in lines
    drawing = ElementTree.fromstring(plot.read_text())
    assert len(drawing.findall(".//{http://www.w3.org/2000/svg}circle")) == 18


def test_depth_prints_json(cells: Path) -> None:
    found = json.loads(run(depth, cells, "--backbones", "lite0", "--json").stdout)
    assert len(found["backbones"][0]["taps"]) == 9


def test_both_verbs_explain_themselves_and_are_found_by_name() -> None:
    for name in ("rank", "depth"):
        done = CliRunner().invoke(headstart, [name, "--help"])
        assert done.exit_code == 0
        assert "--backbones" in done.stdout
    assert {"rank", "depth"} <= set(CliRunner().invoke(headstart, ["--help"]).stdout.split())


def test_wrong_input_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    for verb in (rank, depth):
        assert "did you mean" in str(refused(verb, cells, "--backbones", "efficientnet_lite00"))
        assert "backbones is an empty list" in str(refused(verb, cells, "--backbones", ","))
        assert "Did you mean 'accuracy'" in str(refused(verb, cells, "--metric", "acuracy"))
        assert "--max-unreadable must lie between" in str(refused(verb, cells, "--max-unreadable", 101))
        assert "does not exist" in str(refused(verb, tmp_path / "nothing"))
        assert "seed must lie between" in str(refused(verb, cells, "--seed", -1))
    assert isinstance(refused(rank, cells, "--backbones", "efficientnet_lite00"), UnknownBackbone)
    for wrong in ("plot.png", tmp_path):
        error = refused(depth, cells, "--svg", wrong)
        assert isinstance(error, OptionError)
        assert "must name a file that ends in .svg" in str(error)
