"""A saved model whose manifest was changed, by accident or on purpose, is refused before anything is done for it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import headstart
from headstart.backbones.conversion import convert
from headstart.cli import info
from headstart.errors import BundleError


@pytest.fixture
def changed(saved_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Sets one value deep in a copy's manifest; ... takes it out."""

    def change(*place: Any, to: object) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(saved_model, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        inner = manifest
        for step in place[:-1]:
            inner = inner[step]
        if to is ...:
            del inner[place[-1]]
        else:
            inner[place[-1]] = to
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return change


@pytest.mark.parametrize("name", ["torchhub:nobody/nothing:entry", "resnet18", "../../elsewhere", 1, []])
def test_a_bundle_never_makes_headstart_fetch_a_backbone(
    changed: Callable[..., Path], name: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "convert", lambda *_, **__: pytest.fail("a stranger's code would have run"))
    with pytest.raises(BundleError, match=r"asks for the packaged backbone .* carries 'efficientnet_lite0'"):
        headstart.load(changed("backbones", 0, "name", to=name))


@pytest.mark.parametrize("classes", ["ab", {"a": 1, "b": 2}, ["same", "same"], [1, 2], [], None])
def test_classes_that_are_no_list_of_different_names_are_refused(changed: Callable[..., Path], classes: object) -> None:
    with pytest.raises(BundleError, match="its classes are not a list of different names"):
        headstart.load(changed("classes", to=classes))


@pytest.mark.parametrize("taps", [[], ["conv_head", "conv_head"], "conv_head", ["none"]])
def test_taps_that_the_backbone_lacks_or_has_once_are_refused(changed: Callable[..., Path], taps: object) -> None:
    with pytest.raises(BundleError, match=r"it names the taps .* has 'stem'"):
        headstart.load(changed("backbones", 0, "taps", to=taps))


@pytest.mark.parametrize("temperature", [0, -1, 1e400, float("nan"), "warm", None, [1], 10**400])
def test_a_temperature_that_is_none_is_refused(changed: Callable[..., Path], temperature: object) -> None:
    with pytest.raises(BundleError, match="is damaged"):
        headstart.load(changed("head", "calibration", "temperature", to=temperature))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("scores",), ...),
        (("scores",), []),
        (("scores", "estimate", "value"), "high"),
        (("scores", "estimate", "value"), 7.0),
        (("scores", "out_of_fold", "per_class"), [1]),
        (("data", "counts"), []),
        (("data", "counts"), {"defective": "x"}),
    ],
)
def test_info_refuses_scores_that_it_cannot_show(
    changed: Callable[..., Path], place: tuple[str, ...], value: object
) -> None:
    folder = changed(*place, to=value)
    with pytest.raises(BundleError, match="its scores or its data cannot be shown"):
        CliRunner().invoke(info.command, [str(folder)], catch_exceptions=False)


def test_info_spells_out_control_characters(changed: Callable[..., Path]) -> None:
    folder = changed("head", "candidate", to="\x1b[2Jridge\nexpected 100 %")
    said = CliRunner().invoke(info.command, [str(folder)], catch_exceptions=False).output
    assert r": \x1b[2Jridge\nexpected 100 % on" in said
    assert "\x1b" not in said
