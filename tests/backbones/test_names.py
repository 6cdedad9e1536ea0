"""Which backbones `local` and `all` stand for, and what is said of those that cannot be had."""

import json
import shutil
from pathlib import Path

import pytest

from headstart.backbones import names as here
from headstart.backbones.names import local_backbones, obtainable, resolve_names
from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED_FOLDER
from headstart.backbones.zoo import zoo
from headstart.errors import BackboneError, UnknownBackbone

PACKAGED = ("efficientnet_lite0", "efficientnet_lite2")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where converted backbones lie; nothing is downloaded."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "backbones").mkdir()
    return tmp_path / "backbones"


def put(folder: Path, name: str, source: str = "a copy") -> None:
    """A copy of lite0 as if it had been converted under this name."""
    shutil.copy(PACKAGED_FOLDER / "efficientnet_lite0.onnx", folder / f"{name}.onnx")
    facts = json.loads((PACKAGED_FOLDER / "efficientnet_lite0.json").read_text())
    (folder / f"{name}.json").write_text(json.dumps({**facts, "name": name, "source": source}))


def test_local_is_what_is_packaged_converted_or_downloaded(folder: Path, tmp_path: Path) -> None:
    assert local_backbones() == PACKAGED
    put(folder, "resnet50")
    put(folder, "mine-01234567")
    snapshot = tmp_path / "hub" / "models--timm--vgg16.tv_in1k" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    assert local_backbones() == (*PACKAGED, "mine-01234567", "resnet50", "vgg16")


def test_random_weights_are_not_ranked_unasked(folder: Path) -> None:
    put(folder, "random_resnet50-01234567", "random weights, seed 0")
    assert local_backbones() == PACKAGED
    assert resolve_names(["local", "random_resnet50-01234567"])[-1] == "random_resnet50-01234567"


def test_all_is_local_and_the_whole_zoo_each_once(folder: Path) -> None:
    put(folder, "mine-01234567")
    found = resolve_names(["all"])
    assert found[:3] == (*PACKAGED, "mine-01234567")
    assert set(found) == {*zoo(), "mine-01234567"}
    assert len(found) == len(set(found))
    assert resolve_names(["lite0", "efficientnet_lite0", "resnet50"]) == ("efficientnet_lite0", "resnet50")


def test_a_converted_backbone_is_opened_by_the_name_it_is_listed_under(folder: Path) -> None:
    put(folder, "mine-01234567")
    assert open_backbone("mine-01234567").name == "mine-01234567"
    assert obtainable(["lite0", "mine-01234567"]) == (("lite0", "mine-01234567"), ())


def test_two_names_of_one_backbone_count_once(folder: Path) -> None:
    assert obtainable(["lite0", "efficientnet_lite0"]) == (("lite0",), ())


def refuse(name: str, **_: object) -> None:
    if name == "typo":
        raise UnknownBackbone("backbone 'typo' is not known.")
    if name != "lite0":
        raise BackboneError(f"backbone {name!r} needs\nits weights.")
    return open_backbone(name)


def test_what_cannot_be_had_is_named_with_the_reason_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "open_backbone", refuse)
    names, missing = obtainable(["vgg16", "lite0"])
    assert names == ("lite0",)
    assert [(each.name, each.reason) for each in missing] == [("vgg16", "backbone 'vgg16' needs its weights.")]
    with pytest.raises(UnknownBackbone, match="'typo' is not known"):
        obtainable(["lite0", "typo"])
    with pytest.raises(BackboneError, match=r"^backbone 'vgg16' needs\nits weights"):
        obtainable(["vgg16"])
    with pytest.raises(BackboneError, match="none of 2 backbones can be had here; the first: backbone 'vgg16'"):
        obtainable(["vgg16", "vgg19"])
