"""`headstart backbones` says what can be named and what is here."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.cli.backbones import command


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_the_verb_prints_tab_separated_lines_in_a_pipe() -> None:
    done = CliRunner().invoke(command, [])
    lines = [line.split("\t") for line in done.output.splitlines()]
    assert lines[0][:3] == ["name", "year", "M params"]
    table = {line[0]: line for line in lines}
    assert table["efficientnet_lite0"][1:10] == [
        *("2020", "4.7", "0.39", "74.8", "92.2", "224", "1280", "Apache-2.0", "packaged")
    ]
    assert table["dinov2_small"][4:6] == ["–", "–"]
    assert table["vgg16"][9] == "to download"


def test_the_verb_prints_json_and_knows_what_has_been_converted(tmp_path: Path) -> None:
    (tmp_path / "backbones").mkdir()
    for name in ("resnet50", "mine-01234567"):
        (tmp_path / "backbones" / f"{name}.onnx").touch()
        (tmp_path / "backbones" / f"{name}.json").touch()
    found = json.loads(CliRunner().invoke(command, ["--json"]).output)
    states = {entry["name"]: entry["weights"] for entry in found["backbones"]}
    assert states["resnet50"] == "converted"
    assert found["converted_others"] == ["mine-01234567"]
    assert found["backbones"][2]["top1"] == 76.13


def test_weights_in_the_hubs_cache_count_as_downloaded(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--timm--vgg16.tv_in1k" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    found = json.loads(CliRunner().invoke(command, ["--json"]).output)
    assert found["backbones"][0]["name"] == "vgg16"
    assert found["backbones"][0]["weights"] == "downloaded"
