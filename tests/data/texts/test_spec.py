"""What the encoder takes: pieces, first words, and the traps of tokenisers' files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.backbones.opening import open_backbone
from headstart.data.texts.spec import TextSpec
from headstart.errors import BundleError, MissingExtra, UnreadableImage


@pytest.fixture(scope="module")
def spec() -> TextSpec:
    found: TextSpec = open_backbone("minilm").spec
    return found


def test_the_first_number_says_how_many_pieces_the_first_three_words_have(spec: TextSpec) -> None:
    assert spec.load("What is transubstantiation, please?").tolist()[:4] == [7, 2054, 2003, 9099]


def test_nothing_is_cut_or_padded_as_the_tokenizers_own_file_would(spec: TextSpec) -> None:
    assert len(spec.load("word " * 300)) == 301
    assert len(spec.load("word")) == 2
    assert json.loads(spec.file.read_text())["truncation"] is None


def test_a_tokenizer_that_truncates_and_pads_is_reset(spec: TextSpec, tmp_path: Path) -> None:
    values = json.loads(spec.file.read_text())
    values["truncation"] = {"max_length": 16, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    values["padding"] = {
        "strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }  # fmt: skip
    (tmp_path / "t.tokenizer.json").write_text(json.dumps(values))
    other = TextSpec.of(tmp_path / "t.tokenizer.json", window=64)
    assert len(other.load("word " * 300)) == 301
    assert len(other.load("word")) == 2


@pytest.mark.parametrize("text", ["", "  \n", chr(0x3000)])
def test_an_empty_text_is_unreadable(spec: TextSpec, text: str) -> None:
    with pytest.raises(UnreadableImage, match="it is empty"):
        spec.load(text)


def test_a_prefix_stands_before_every_text(spec: TextSpec) -> None:
    assert replace(spec, prefix="query: ").load("word").tolist()[1:] == [23032, 1024, 2773]
    assert replace(spec, prefix="query: ").fingerprint() != spec.fingerprint()


def test_the_description_comes_back_and_a_foreign_one_is_refused(spec: TextSpec, tmp_path: Path) -> None:
    assert TextSpec.from_dict(spec.to_dict(), spec.file) == spec
    with pytest.raises(BundleError, match=r"must have the fields .*; found \['kind'\]"):
        TextSpec.from_dict({"kind": "text"}, spec.file)
    with pytest.raises(BundleError, match="it is damaged"):
        TextSpec.from_dict({**spec.to_dict(), "window": 2}, spec.file)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(BundleError, match="not the one that the network was made with"):
        TextSpec.from_dict(spec.to_dict(), tmp_path / "other.json")


def test_without_the_extra_texts_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.backbones.packaged.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"Reading texts needs the package 'headstart-text', .*headstart\[text\]"):
        open_backbone("minilm")
