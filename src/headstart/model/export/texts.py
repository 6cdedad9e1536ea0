"""A saved model of texts as one ONNX graph: pieces of texts in, calibrated probabilities and decisions out.

Its inputs are int64: `ids` and `mask` (W, T), the pieces of W windows and 1 where there is one; `first` (W, T), 1 at
the pieces of a text's first three words, only where the model looks at them; `text` (W,), which text a window is of,
counted from 0. A short text is one window; a long one is several, whose means are averaged by their length inside the
graph. The tokeniser lies in a file beside it. Words that were weighed on the user's texts (TF-IDF) have no such graph.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.words import NAME
from headstart.data.texts.spec import MOST_PIECES, SUFFIX, TextSpec
from headstart.device import EXACT, Device
from headstart.errors import BundleError, OptionError
from headstart.model.export.graph import ExportGraph, add_answers, metadata_of, require_onnx, whole_model
from headstart.model.export.network import add_network, open_network
from headstart.model.export.operators import Graph, Value
from headstart.model.export.parity import TEXTS, Parity, compare
from headstart.model.export.runtimes import Run, open_runtime
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.trust.triage.records import Triage

INPUTS = ("ids", "mask", "first")
"""Of the encoder's graph."""
TEXT = "text"
_TEXTS = 16
"""Texts of a call, when an export is compared."""
_PLAIN = Device("cpu", EXACT, "exports are compared in full precision")
_SEEN = 1e-3
"""A change of a probability that is worth a sentence."""
_INPUT = (
    "int64: ids and mask (W, T) are the pieces of W windows, each 'before', at most 'room' pieces and 'after', and 1 "
    "where there is a piece; first (W, T) is 1 at the pieces of a text's first words; text (W,) counts the texts from 0"
)


def is_text_model(predictor: Predictor) -> bool:
    """Whether a model takes texts."""
    return bool(predictor.parts[0].backbone.spec.modality == TextSpec.modality)


def encoder_of(predictor: Predictor) -> Any:
    """The model's encoder; raises `OptionError` where it looks at anything else than one encoder."""
    if any(part.backbone.name == NAME for part in predictor.parts):
        raise OptionError(
            "the model's part 'words' (TF-IDF) cannot be exported: a graph takes pieces, and cannot cut a text into "
            "weighed words. Train with --heads lda,probe,ridge, which look at the encoder alone."
        )
    return predictor.parts[0].backbone


def build_text_graph(predictor: Predictor, triage: Triage | None = None) -> ExportGraph:
    """The graph of a model of texts; raises as `graph.build_graph`, and `OptionError` for weighed words."""
    require_onnx()
    encoder, graph = encoder_of(predictor), Graph()
    pooled = _add_encoder(graph, encoder, _tap_names(predictor))
    outputs, notes = add_answers(graph, predictor, pooled, triage)
    metadata = metadata_of(predictor, triage, outputs) | _stranger_facts(encoder.spec)
    shapes: dict[str, list[str]] = {name: ["W", "T"] for name in input_names(predictor)} | {TEXT: ["W"]}
    model = whole_model(graph, [_numbers(*entry) for entry in shapes.items()], outputs, predictor, metadata)
    return ExportGraph(model, tuple(outputs), {}, tuple(notes))


def _tap_names(predictor: Predictor) -> tuple[str, ...]:
    """The encoder's taps that head and novelty look at."""
    taps = [tap for part in predictor.parts for tap in part.taps]
    return tuple(dict.fromkeys((*taps, *predictor.novelty_taps)))


def input_names(predictor: Predictor) -> tuple[str, ...]:
    """What the graph takes of each window; `first` only where it is looked at."""
    kinds = {encoder_of(predictor).tap(name).kind for name in _tap_names(predictor)}
    return INPUTS if "first" in kinds else INPUTS[:-1]


def _add_encoder(graph: Graph, encoder: Any, names: Sequence[str]) -> dict[tuple[str, str], Value]:
    """The taps of texts, each of length one: windows weighed by their pieces, as `embed.text_engine` does."""
    network = open_network(encoder, INPUTS)
    _plain_weights(network)
    wanted = {name: encoder.tap(name).pooled for name in names}
    windows = add_network(graph, network, {name: name for name in INPUTS}, list(wanted.values()), f"{encoder.name}/")
    last = graph.op("ReduceMax", TEXT, keepdims=0)
    numbers = graph.op(
        "Range", np.array(0, np.int64), graph.op("Add", last, np.array(1, np.int64)), np.array(1, np.int64)
    )
    axis = graph.constant(np.array([1], np.int64))
    belongs = graph.cast(graph.op("Equal", graph.op("Unsqueeze", numbers, axis), TEXT), np.float32)  # (N, W)
    kinds = {encoder.tap(name).kind for name in names}
    weights = dict.fromkeys(kinds, graph.cast(graph.sum("mask", 1), np.float32))
    if "first" in kinds:  # what stands first stands in the first window alone
        weights["first"] = graph.cast(graph.op("Greater", graph.sum("first", 1), np.array(0, np.int64)), np.float32)
    return {
        (encoder.weights, name): graph.unit_rows(
            graph.op("MatMul", belongs, graph.op("Mul", windows[output], weights[encoder.tap(name).kind]))
        )
        for name, output in wanted.items()
    }


def _plain_weights(model: Any) -> None:
    """Turn `DequantizeLinear` of int8 weights into a cast and a product, by which no runtime rounds activations.

    ONNX Runtime fuses the former with the product of matrices behind it (MatMulNBits), and then rounds what comes in to
    eight bits.
    """
    from onnx import TensorProto, helper

    nodes = []
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear":
            nodes.append(node)
            continue
        numbers, scale = node.input  # (inputs, outputs) and (outputs,): a scale for every column
        whole = f"{node.output[0]}.numbers"
        nodes.append(helper.make_node("Cast", [numbers], [whole], name=whole, to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [whole, scale], [node.output[0]], name=node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _stranger_facts(spec: TextSpec) -> dict[str, Any]:
    before, after = spec.ends()
    return {
        "input": _INPUT,
        "before": list(before),
        "after": list(after),
        "room": spec.room,
        "most_pieces": MOST_PIECES,
        "first_words": spec.first_words,
        "prefix": spec.prefix,
        "tokenizer": spec.tokenizer,
    }


def _numbers(name: str, shape: Sequence[str]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))


def write_beside(exported: ExportGraph, spec: TextSpec, folder: Path, stem: str) -> list[Path]:
    """The tokeniser and the metadata beside the graph."""
    tokenizer, manifest = folder / f"{stem}{SUFFIX}", folder / f"{stem}.json"
    tokenizer.write_bytes(spec.file.read_bytes())
    entries = {entry.key: entry.value for entry in exported.model.metadata_props}
    manifest.write_text(json.dumps(json.loads(entries["headstart"]), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return [tokenizer, manifest]


def check_tokenizer(path: Path, spec: TextSpec) -> None:
    """Raise `BundleError` where the tokeniser beside an exported file is not the model's."""
    from headstart import fingerprint

    file = path.with_name(f"{path.stem}{SUFFIX}")
    if not file.is_file() or fingerprint.hash_file(file) != spec.tokenizer:
        raise BundleError(f"{file}, the tokeniser beside {path}, is missing or another: export the model again.")


def graph_inputs(spec: TextSpec, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """What a text model's graph takes for these texts."""
    before, after = spec.ends()
    rows: list[tuple[int, list[int], int]] = []
    for number, text in enumerate(texts):
        first, *pieces = spec.load(text).tolist()
        for start in range(0, max(1, len(pieces)), spec.room):
            part = pieces[start : start + spec.room]
            rows.append((number, [*before, *part, *after], 0 if start else min(first, len(part))))
    ids, mask, marks = (np.zeros((len(rows), max(len(row[1]) for row in rows)), np.int64) for _ in range(3))
    for row, (_, pieces, first) in enumerate(rows):
        ids[row, : len(pieces)], mask[row, : len(pieces)] = pieces, 1
        marks[row, len(before) : len(before) + first] = 1
    return {"ids": ids, "mask": mask, "first": marks, TEXT: np.array([row[0] for row in rows])}


def check_text_parity(
    predictor: Predictor, path: Path, runtimes: Sequence[str], texts: Sequence[str], names: Sequence[str]
) -> Parity:
    """Run an exported file in its runtimes beside the model, on texts."""
    expected = predictor.probabilities(predictor.features(texts, device=_PLAIN).X)
    checks = []
    for runtime in runtimes:
        run = open_runtime(runtime, path)
        checks.append(compare(runtime, TEXTS, expected, _answers(run, predictor, texts), names))
    return Parity(tuple(checks))


def rounding_note(predictor: Predictor, texts: Sequence[str]) -> tuple[str, ...]:
    """How far the model's everyday answers are from the export's; nothing where that cannot be seen."""
    exact, everyday = (predictor.probabilities(predictor.features(texts, device=device).X) for device in (_PLAIN, None))
    change, same = float(np.abs(exact - everyday).max()), int((exact.argmax(1) == everyday.argmax(1)).sum())
    if change <= _SEEN:
        return ()
    return (
        f"The graph is compared with the model in full precision. For its speed the model itself rounds to eight bits: "
        f"on these texts its probabilities are within {change:.1g} of the graph's, {same:,} of {len(texts):,} labels "
        "the same.",
    )


def _answers(run: Run, predictor: Predictor, texts: Sequence[str]) -> Floats:
    """Probabilities (n, K) by the exported graph, some texts a call."""
    wanted = (*input_names(predictor), TEXT)
    answers: list[Floats] = []
    for low in range(0, len(texts), _TEXTS):
        inputs = graph_inputs(predictor.parts[0].backbone.spec, texts[low : low + _TEXTS])
        answers.append(run({name: inputs[name] for name in wanted})["probabilities"])
    return np.concatenate(answers)
