"""The verbs `embed` and `cache`."""

import json
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import headstart
from headstart.backbones.graph import Backbone
from headstart.cli import cache as cache_verb
from headstart.cli import embed as embed_verb
from headstart.embed import engines
from headstart.embed.extract import embed
from headstart.errors import BackboneError, DataError, OptionError


@pytest.fixture
def folder(pictures: list[Path], tmp_path: Path) -> Path:
    for i, path in enumerate(pictures):
        place = tmp_path / "data" / ("healthy" if i < 3 else "ill")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    (tmp_path / "data" / "ill" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "data"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "home"))
    monkeypatch.setattr(engines, "_open", OrderedDict())  # none that was compiled for another folder
    return tmp_path / "home"


def invoke(verb: object, *words: object) -> str:
    arguments = [str(word) for word in words]
    return CliRunner().invoke(verb.command, arguments, catch_exceptions=False).output  # type: ignore[attr-defined]


def test_embed_writes_a_row_an_image_with_its_label(
    folder: Path, tmp_path: Path, lite0: Backbone, pictures: list[Path]
) -> None:
    output = tmp_path / "e.npz"
    said = invoke(embed_verb, folder, "-o", output, "--device", "cpu", "--no-cache")
    assert f"7 rows written to {output}, 1 of them unreadable (NaN)" in said
    assert "unreadable: ill/broken.jpg: " in said
    with np.load(output) as found:
        assert sorted(found) == ["embedding", "label", "path", "unreadable"]
        assert found["label"].tolist() == ["healthy"] * 3 + ["ill"] * 4
        assert found["path"][0] == "healthy/0.jpg"
        broken = found["path"].tolist().index("ill/broken.jpg")
        assert [row for row, reason in enumerate(found["unreadable"]) if reason] == [broken]
        assert np.isnan(found["embedding"][broken]).all()
        assert np.array_equal(np.delete(found["embedding"], broken, axis=0), embed(pictures, lite0).last)


def test_embed_makes_squares_as_it_is_told(folder: Path, tmp_path: Path) -> None:
    for fit in ("crop", "squeeze"):
        invoke(embed_verb, folder / "ill", "--unlabelled", "-o", tmp_path / f"{fit}.npz", "--fit", fit)
    python = headstart.embeddings(folder / "ill", fit="squeeze")
    with np.load(tmp_path / "crop.npz") as crop, np.load(tmp_path / "squeeze.npz") as squeeze:
        assert not np.array_equal(crop["embedding"], squeeze["embedding"], equal_nan=True)
        assert np.array_equal(python.aligned(), squeeze["embedding"], equal_nan=True)
    with pytest.raises(OptionError, match="fit must be"):
        headstart.embeddings(folder, fit="stretch")


def test_embed_takes_several_backbones_and_layers(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "e.npz"
    backbones = ["--backbone", "lite0", "--backbone", "lite2"]
    invoke(embed_verb, folder / "ill", "--unlabelled", "-o", output, *backbones, "--taps", "stem,conv_head")
    with np.load(output) as found:
        shapes = {name: found[name].shape for name in found}
    assert shapes == {
        "path": (4,),
        "unreadable": (4,),
        "efficientnet_lite0.stem": (4, 32),
        "efficientnet_lite0.conv_head": (4, 1280),
        "efficientnet_lite2.stem": (4, 32),
        "efficientnet_lite2.conv_head": (4, 1280),
    }


def test_embed_checks_before_it_works(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="files ending in"):
        invoke(embed_verb, tmp_path / "absent", "-o", tmp_path / "e.doc")
    with pytest.raises(BackboneError, match="tap 'layer9' was asked of efficientnet_lite0"):
        invoke(embed_verb, tmp_path / "absent", "-o", tmp_path / "e.csv", "--taps", "layer9")


def test_embed_with_nothing_readable_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image could be read, of 1"):
        invoke(embed_verb, folder / "ill" / "broken.jpg", "--unlabelled", "-o", tmp_path / "e.csv")
    assert not (tmp_path / "e.csv").exists()


def test_cache_shows_and_clears_what_is_kept(folder: Path, tmp_path: Path, alone: Path) -> None:
    assert f"0.0 MB in {alone}; at most 4 GB of embeddings a backbone" in invoke(cache_verb)
    invoke(embed_verb, folder, "-o", tmp_path / "e.npz", "--device", "cpu")
    found = json.loads(invoke(cache_verb, "--json"))
    assert found["folder"] == str(alone)
    assert [(Path(f["file"]).suffix, f["rows"]) for f in found["files"]] == [(".sqlite", 6), (".blob", None)]
    shown = invoke(cache_verb).splitlines()
    assert shown[0].endswith(f" MB in {alone}; at most 4 GB of embeddings a backbone")
    assert shown[1].split("\t") == ["file", "images", "MB"]
    assert shown[2].split("\t")[:2] == ["embeddings/efficientnet_lite0.v1.sqlite", "6"]
    converted = alone / "backbones" / "mine.onnx"
    converted.parent.mkdir()
    converted.write_bytes(b"graph")
    assert f" MB cleared from {alone}" in invoke(cache_verb, "--clear")
    assert [(Path(f["file"]).suffix, f["rows"]) for f in json.loads(invoke(cache_verb, "--json"))["files"]] == [
        (".sqlite", 0)
    ]
    assert converted.exists()


def test_cache_clears_damaged_files_too(alone: Path) -> None:
    (alone / "embeddings").mkdir(parents=True)
    (alone / "embeddings" / "a.sqlite").write_bytes(b"no database " * 1000)
    (alone / "embeddings" / "b.sqlite.damaged").write_bytes(b"old")
    assert [f["rows"] for f in json.loads(invoke(cache_verb, "--json"))["files"]] == [None, None]
    assert json.loads(invoke(cache_verb, "--clear", "--json"))["cleared"] == 12_003
    assert json.loads(invoke(cache_verb, "--json"))["files"] == []


def test_cache_shows_and_clears_the_scores_of_heads(alone: Path) -> None:
    (alone / "scores").mkdir(parents=True)
    (alone / "scores" / "a.safetensors").write_bytes(b"1234567")
    (alone / "scores" / "b.77.partial").write_bytes(b"123")
    (found,) = json.loads(invoke(cache_verb, "--json"))["files"]
    assert (Path(found["file"]).name, found["bytes"]) == ("scores", 10)
    assert json.loads(invoke(cache_verb, "--clear", "--json"))["cleared"] == 10


def test_cache_shows_and_clears_the_activations_of_frozen_layers(alone: Path) -> None:
    (alone / "activations").mkdir(parents=True)
    (alone / "activations" / "a.rows").write_bytes(b"12345")
    (alone / "activations" / "a.sums").write_bytes(b"12")
    (alone / "activations" / ".lock").touch()
    (found,) = json.loads(invoke(cache_verb, "--json"))["files"]
    assert (Path(found["file"]).name, found["rows"], found["bytes"]) == ("activations", None, 7)
    assert json.loads(invoke(cache_verb, "--clear", "--json"))["cleared"] == 7
    assert json.loads(invoke(cache_verb, "--json"))["files"] == []
