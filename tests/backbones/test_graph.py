"""A backbone on disk is opened whole, or refused with a reason."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from headstart.backbones.converted import ConversionRequest, file_stem
from headstart.backbones.graph import read_backbone, write_backbone
from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED_FOLDER
from headstart.errors import BackboneError, BundleError

NAME = "efficientnet_lite0"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for suffix in (".onnx", ".json"):
        shutil.copy(PACKAGED_FOLDER / f"{NAME}{suffix}", tmp_path)
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    path = folder / f"{NAME}.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, **changes}))


def test_short_names_open_the_packaged_backbones() -> None:
    assert open_backbone("lite0") == open_backbone("efficientnet_lite0")
    assert open_backbone("lite2").spec.size == 260


def test_a_copied_backbone_equals_the_packaged_one_but_for_its_place(copied: Path) -> None:
    there = read_backbone(copied, NAME)
    assert dataclasses.replace(there, graph=open_backbone(NAME).graph, packaged=True) == open_backbone(NAME)
    assert hash(there) != hash(open_backbone(NAME))


def test_a_backbone_is_written_and_read_back(tmp_path: Path) -> None:
    source = open_backbone(NAME)
    made = write_backbone(
        tmp_path / "new",
        "copy",
        source.graph.read_bytes(),
        spec=source.spec,
        taps=source.taps,
        licence=source.licence,
        source=source.source,
        facts=source.facts,
    )
    assert (made.name, made.weights, made.taps) == ("copy", source.weights, source.taps)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["copy.json", "copy.onnx"]


def test_a_tap_is_found_by_name_and_a_wrong_one_answered_with_the_right_ones() -> None:
    backbone = open_backbone(NAME)
    assert backbone.tap("blocks.3").spatial == "blocks.3.spatial"
    with pytest.raises(
        BackboneError, match=r"tap 'block3' was asked of efficientnet_lite0, which has 'stem', 'blocks.0'"
    ):
        backbone.tap("block3")


def test_a_changed_graph_is_refused(copied: Path) -> None:
    with (copied / f"{NAME}.onnx").open("r+b") as file:
        file.write(b"\0\0\0\0")
    with pytest.raises(BundleError, match=r"is damaged: its bytes are not those that efficientnet_lite0.json names"):
        read_backbone(copied, NAME)


def test_a_newer_schema_is_refused(copied: Path) -> None:
    edit(copied, schema=2)
    with pytest.raises(BundleError, match="has the schema 2; this Headstart reads 1: upgrade Headstart"):
        read_backbone(copied, NAME)


@pytest.mark.parametrize(
    "changes",
    [
        {"taps": []},
        {"taps": [{"name": "a", "width": -1, "kind": "last"}]},
        {"taps": [{"name": "a", "width": 10**13, "kind": "last"}]},
        {"taps": [{"name": "a", "width": 3, "kind": "first"}]},
        {"taps": 7},
        {"taps": ["conv_head"]},
        {"facts": None},
        {"licence": 3},
        {"spec": {"size": 224}},
    ],
)
def test_a_damaged_description_is_refused(copied: Path, changes: dict[str, object]) -> None:
    edit(copied, **changes)
    with pytest.raises(BundleError):
        read_backbone(copied, NAME)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff\xfe", b" " * (1 << 21)])
def test_a_description_that_is_no_json_object_is_refused(copied: Path, content: bytes) -> None:
    (copied / f"{NAME}.json").write_bytes(content)
    with pytest.raises(BundleError, match="is damaged: it is not a JSON object"):
        read_backbone(copied, NAME)


def test_an_absent_file_is_said(copied: Path) -> None:
    (copied / f"{NAME}.onnx").unlink()
    with pytest.raises(BundleError, match="lacks its graph: No such file"):
        read_backbone(copied, NAME)
    with pytest.raises(BundleError, match=r"nothing.json cannot be read: No such file"):
        read_backbone(copied, "nothing")


def test_every_request_has_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"1")
    requests = [
        *(
            ConversionRequest("resnet18"),
            ConversionRequest("resnet18", seed=0),
            ConversionRequest("resnet18", seed=1),
            ConversionRequest("resnet18", size=96),
        ),
        *(
            ConversionRequest("resnet18", weights=tmp_path / "w.pth"),
            ConversionRequest("hf-hub:a/b_c"),
            ConversionRequest("hf-hub:a_b/c"),
        ),
    ]
    keys = [file_stem(request) for request in requests]
    assert len(set(keys)) == len(keys)
    assert keys[0] == "resnet18"
    assert all("/" not in k and ":" not in k for k in keys)
