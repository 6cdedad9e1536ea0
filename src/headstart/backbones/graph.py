"""A backbone as a file: an ONNX graph with named taps, and the JSON beside it that says what it is.

The graph takes `image`, uint8 (N, size, size, 3) as its `ImageSpec` loads it; normalisation happens inside. For every
tap it has `<tap>.pooled`, float32 (N, width), and `<tap>.spatial`, float32 (N, channels, rows, columns); `logits`,
float32 (N, 1000), where the network kept its original head. Weights are stored in half precision and computed with in
single precision.

`read_backbone` reads one from a folder, `write_backbone` puts one there whole or not at all. This module runs nothing
and needs neither torch nor OpenVINO.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from headstart import fingerprint
from headstart.backbones.packaged import is_packaged
from headstart.checks import join_words
from headstart.data.read_spec import read_spec
from headstart.data.spec import InputSpec
from headstart.errors import BackboneError, BundleError
from headstart.storage.files import write_atomically

SCHEMA = 1
INPUT = "image"
LOGITS = "logits"
_MOST_FACTS = 1 << 20
_MOST_WIDTH = 1 << 17


@dataclass(frozen=True)
class Tap:
    """A layer that an embedding can be read from.

    name: the stage it follows. width: length of its pooled vector. depth: position among the taps, 0 the earliest.
    kind: `last` for the usual embedding (the network's own pooling), `stage` for the mean over positions of any other;
    `first` for the mean over a text's first words; `logits` for what the original head makes of the last (no file's own
    tap: see `imagenet.with_head`).
    """

    name: str
    width: int
    depth: int
    kind: Literal["stage", "last", "logits", "first"]

    @property
    def pooled(self) -> str:
        """The graph's output (N, width)."""
        if self.kind == "first":
            return self.name
        return LOGITS if self.kind == "logits" else f"{self.name}.pooled"

    @property
    def spatial(self) -> str:
        """The graph's output (N, channels, rows, columns)."""
        return f"{self.name}.spatial"


@dataclass(frozen=True)
class Backbone:
    """A network with its weights, as a graph on this machine.

    name: what it is called. graph: the .onnx file. spec: what it expects of its input. taps: earliest first, the usual
    embedding last. weights: fingerprint of the graph file, with that of the delta where there is one. licence,
    source: of the weights. facts: what is known of the network (parameters, accuracy, ...). packaged: whether its graph
    came with Headstart. delta: tensors that fine-tuning changed (see `deltas.py`), None as published. content: of what
    is no file yet, such as words that were weighed on the user's texts.
    """

    name: str
    graph: Path
    spec: Any
    taps: tuple[Tap, ...]
    weights: str
    licence: str
    source: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    packaged: bool = False
    delta: WeightDelta | None = None
    content: bytes | None = field(default=None, repr=False)

    def files(self) -> dict[str, bytes | Path]:
        """What a saved model must hold of it, by name: nothing where it is packaged."""
        if self.packaged:
            return {}
        if self.content is not None:
            return {self.graph.name: self.content}
        beside = [self.graph.with_suffix(suffix) for suffix in (".json", ".tokenizer.json")]
        return {path.name: path for path in (self.graph, *beside) if path == self.graph or path.exists()}

    def tap(self, name: str) -> Tap:
        """The tap of this name; raises `BackboneError` with the names there are."""
        for tap in self.taps:
            if tap.name == name:
                return tap
        raise BackboneError(
            f"tap {name!r} was asked of {self.name}, which has {join_words([t.name for t in self.taps], 40)}: choose "
            "one."
        )

    @property
    def last(self) -> Tap:
        """The tap that is usually called the embedding."""
        return self.taps[-1]


def read_backbone(folder: Path, name: str) -> Backbone:
    """The backbone kept in `folder` as `<name>.onnx` and `<name>.json`.

    Raises `BundleError` when either is absent, damaged, foreign, or written by a newer Headstart.
    """
    graph = folder / f"{name}.onnx"
    values = _read_facts(folder / f"{name}.json")
    if values.get("schema") != SCHEMA:
        raise BundleError(
            f"the backbone {name} in {folder} has the schema {values.get('schema')!r}; this Headstart reads "
            f"{SCHEMA}: upgrade Headstart, or convert the backbone again."
        )
    try:
        weights = fingerprint.hash_file(graph)
    except OSError as error:
        raise BundleError(f"the backbone {name} in {folder} lacks its graph: {error.strerror}.") from error
    if weights != values.get("weights"):
        raise BundleError(
            f"the graph {graph} is damaged: its bytes are not those that {name}.json names; copy or convert it again."
        )
    return _backbone(values, graph, packaged=is_packaged(folder))


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_FACTS + 1)
    except OSError as error:
        raise BundleError(f"the backbone's description {path} cannot be read: {error.strerror}.") from error
    try:
        values = json.loads(content) if len(content) <= _MOST_FACTS else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BundleError(f"the backbone's description {path} is damaged: it is not a JSON object.")
    return values


def _backbone(values: Mapping[str, Any], graph: Path, *, packaged: bool) -> Backbone:
    try:
        taps = tuple(_tap(tap, depth) for depth, tap in enumerate(values["taps"]))
        if not taps or taps[-1].kind != "last":
            raise ValueError("no last tap")
        texts = {key: values[key] for key in ("name", "weights", "licence", "source")}
        if not all(isinstance(text, str) for text in texts.values()) or not isinstance(values["facts"], dict):
            raise TypeError("a text or object was expected")
        spec = read_spec(values["spec"], graph, values["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the description of the backbone {graph} is damaged: {error}.") from error
    return Backbone(**texts, graph=graph, spec=spec, taps=taps, facts=values["facts"], packaged=packaged)


def _tap(values: Mapping[str, Any], depth: int) -> Tap:
    name, width, kind = values["name"], values["width"], values["kind"]
    wide = type(width) is int and 1 <= width <= _MOST_WIDTH
    if not isinstance(name, str) or not wide or kind not in ("stage", "last", "first"):
        raise ValueError(f"tap {depth} is {dict(values)!r}")
    return Tap(name, width, depth, cast(Literal["stage", "last", "first"], kind))


def write_backbone(
    folder: Path,
    name: str,
    graph: bytes,
    *,
    spec: InputSpec,
    taps: tuple[Tap, ...],
    licence: str,
    source: str,
    facts: Mapping[str, object],
) -> Backbone:
    """Put a backbone into `folder`, each file by renaming and the description last; return it read back."""
    values = {
        "schema": SCHEMA,
        "name": name,
        "weights": fingerprint.hash_bytes(graph),
        "licence": licence,
        "source": source,
        "spec": spec.to_dict(),
        "taps": [{"name": tap.name, "width": tap.width, "kind": tap.kind} for tap in taps],
        "facts": dict(facts),
    }
    write_atomically(folder / f"{name}.onnx", graph)
    write_atomically(folder / f"{name}.json", (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
    return read_backbone(folder, name)


@dataclass(frozen=True)
class WeightDelta:
    """Changed tensors. content: the bytes of their safetensors file. base: fingerprint of the graph they belong to."""

    content: bytes = field(repr=False)
    base: str
