"""Reads a folder of a text network as transformers or sentence-transformers save it, without torch.

`read_text_folder` gives what a conversion needs besides the weights: the tokeniser without truncation and padding, the
longest window that every file agrees on, how a text's vector is pooled, and what stands before a text. It runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart import fingerprint
from headstart.checks import join_words
from headstart.errors import BackboneError

CONFIG, MODULES, TOKENIZER = "config.json", "modules.json", "tokenizer.json"
LONGEST = 512
"""Pieces of a window: longer ones cost more than several short ones, since attention grows with the square."""
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_BOUNDLESS = 1_000_000
"""Tokenisers without a limit say 10^30."""
_POOLINGS = ("cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean")
_PROMPTS = (("e5-", "query: "), ("nomic-embed", "classification: "))
"""What networks were trained with before a text, by a part of their names; instructed ones have sentences of their own.
Sources: the model cards of intfloat/e5-base-v2 and nomic-ai/nomic-embed-text-v1."""


@dataclass(frozen=True)
class DenseLayer:
    """A sentence-transformers layer on the pooled vector. folder: of its weights. activation: its class's name."""

    folder: Path
    activation: str


@dataclass(frozen=True)
class TextFolder:
    """What a folder says of a text network.

    folder: of its configuration and weights. tokenizer: the content of its tokeniser's file, which neither cuts nor
    pads. window: the most pieces, as far as the files say. poolings: of the last layer, side by side. dense: layers
    behind it. prefix: what stands before every text. key: names the content of everything that matters.
    """

    folder: Path
    config: Mapping[str, Any]
    tokenizer: bytes
    window: int
    poolings: tuple[str, ...]
    dense: tuple[DenseLayer, ...]
    prefix: str
    key: str


def is_text_folder(name: str) -> bool:
    """Whether a name is that of a folder with a text network in it."""
    folder = Path(name)
    return (folder / MODULES).is_file() or ((folder / CONFIG).is_file() and not _is_timm(folder / CONFIG))


def _is_timm(path: Path) -> bool:
    return "architecture" in _read_json(path)


def read_text_folder(folder: Path) -> TextFolder:
    """What the folder says; raises `BackboneError` where a file is missing, damaged or asks for what is not known."""
    modules = _modules(folder)
    inner = folder / str(modules[0].get("path", "")) if modules else folder
    for name in (CONFIG, TOKENIZER):
        if not (inner / name).is_file():
            raise BackboneError(
                f"the text network in {folder} has no {name}: save it whole, with save_pretrained of its model and of "
                "its (fast) tokeniser, into one folder."
            )
    if not any((inner / name).is_file() for name in _WEIGHTS):
        raise BackboneError(f"the text network in {folder} has no weights ({join_words(_WEIGHTS)}): copy them there.")
    config = _read_json(inner / CONFIG)
    if config.get("is_encoder_decoder") or "model_type" not in config:
        raise BackboneError(
            f"the network in {folder} is a {config.get('model_type', 'network of an unnamed type')}: one like BERT, "
            "RoBERTa, DistilBERT, MPNet or GPT-2 was expected."
        )
    poolings, dense = _pooling(folder, modules)
    return TextFolder(
        inner,
        config,
        _plain_tokenizer(inner / TOKENIZER, config),
        _window(inner, config),
        poolings,
        dense,
        _prefix(folder, config, modules),
        _key(folder, inner, dense),
    )


def _read_json(path: Path) -> Any:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BackboneError(
            f"{path} cannot be read as JSON ({type(error).__name__}): copy the folder again."
        ) from error
    return values


def _optional(path: Path) -> dict[str, Any]:
    return dict(_read_json(path)) if path.is_file() else {}


def _modules(folder: Path) -> list[dict[str, Any]]:
    """The modules of a sentence-transformers folder in their order; none of a plain one."""
    modules = _read_json(folder / MODULES) if (folder / MODULES).is_file() else []
    kinds = [_kind(module) for module in modules]
    if modules and (kinds[0] != "Transformer" or set(kinds[1:]) - {"Pooling", "Dense", "Normalize"}):
        raise BackboneError(
            f"the folder {folder} is made of {join_words(kinds)}: a Transformer, then Pooling, Dense and Normalize "
            "were expected."
        )
    return list(modules)


def _kind(module: Mapping[str, Any]) -> str:
    return str(module.get("type", "")).rpartition(".")[2]


def _pooling(folder: Path, modules: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[DenseLayer, ...]]:
    """How the last layer is pooled, and the dense layers behind; the mean where nothing is said."""
    poolings: tuple[str, ...] = ("mean",)
    dense = []
    for module in modules:
        place = folder / str(module.get("path", ""))
        if _kind(module) == "Pooling":
            poolings = _modes(place / CONFIG)
        if _kind(module) == "Dense":
            activation = str(_read_json(place / CONFIG).get("activation_function", "Tanh")).rpartition(".")[2]
            dense.append(DenseLayer(place, activation))
    return poolings, tuple(dense)


def _modes(path: Path) -> tuple[str, ...]:
    """The poolings that a configuration turns on, in either of its two forms."""
    values = _read_json(path)
    mode = values.get("pooling_mode")
    if mode is not None:
        modes = tuple([mode] if isinstance(mode, str) else mode)
    else:
        modes = tuple(name for name in _ORDER if values.get(_ORDER[name]))
    if not modes or set(modes) - set(_POOLINGS):
        raise BackboneError(
            f"{path} asks for the pooling {join_words([str(mode) for mode in modes]) or 'of nothing'}; known are "
            f"{join_words(_POOLINGS)}."
        )
    return modes


_ORDER = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
"""The order in which sentence-transformers joins several, with their names in its older files."""


def _plain_tokenizer(path: Path, config: Mapping[str, Any]) -> bytes:
    """The tokeniser's file without truncation, padding, and pieces that the network has no row for.

    Many files cut at 128 pieces without a word. A padding piece that was added to the tokeniser alone has a number
    behind the network's table.
    """
    values = _read_json(path) | {"truncation": None, "padding": None}
    rows = int(config.get("vocab_size", 0)) or _BOUNDLESS
    values["added_tokens"] = [piece for piece in values.get("added_tokens", []) if piece.get("id", 0) < rows]
    vocabulary = values.get("model", {}).get("vocab", {})
    highest = max(vocabulary.values(), default=0) if isinstance(vocabulary, dict) else len(vocabulary) - 1
    if highest >= rows:
        raise BackboneError(
            f"the tokeniser {path} has pieces up to number {highest}, and the network's table has {rows} rows: they do "
            "not belong together; copy both from one place."
        )
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def _window(folder: Path, config: Mapping[str, Any]) -> int:
    """The least of the limits that the files name; 10^30 is none."""
    limits = [
        _optional(folder / "tokenizer_config.json").get("model_max_length"),
        _optional(folder / "sentence_bert_config.json").get("max_seq_length"),
        *(config.get(name) for name in ("max_position_embeddings", "n_positions")),
    ]
    return min([LONGEST, *(int(limit) for limit in limits if limit and 0 < limit < _BOUNDLESS)])


def _prefix(folder: Path, config: Mapping[str, Any], modules: Sequence[Mapping[str, Any]]) -> str:
    """The prompt that the folder names for all uses or for classification; else the one its makers trained with."""
    values = _optional(folder / "config_sentence_transformers.json")
    prompts, usual = values.get("prompts") or {}, values.get("default_prompt_name")
    prompt = prompts.get(usual) if usual else prompts.get("classification")
    if prompt is None:
        name = f"{folder.name} {Path(str(config.get('_name_or_path', ''))).name}".lower()
        prompt = next((prompt for part, prompt in _PROMPTS if part in name and "instruct" not in name), "")
    pooling = [folder / str(module.get("path", "")) / CONFIG for module in modules if _kind(module) == "Pooling"]
    if prompt and pooling and _optional(pooling[0]).get("include_prompt") is False:
        raise BackboneError(
            f"the network in {folder} leaves its prompt {prompt!r} out of the mean, which a graph here cannot: take "
            "the prompt out of config_sentence_transformers.json, or another network."
        )
    return str(prompt)


def _key(folder: Path, inner: Path, dense: Sequence[DenseLayer]) -> str:
    """Names the content of all files that a conversion reads, and its own version."""
    files = {path for place in (folder, inner, *(layer.folder for layer in dense)) for path in place.glob("*.json")}
    files |= {path for place in (inner, *(layer.folder for layer in dense)) for path in place.glob("*.safetensors")}
    files |= {
        path for place in (inner, *(layer.folder for layer in dense)) for path in place.glob("pytorch_model*.bin")
    }
    poolings = set(folder.glob("*_Pooling/config.json"))
    named = [(path.name, fingerprint.hash_file(path)) for path in sorted(files | poolings)]
    return fingerprint.hash_parts("text network", 1, folder.name, [list(pair) for pair in named])
