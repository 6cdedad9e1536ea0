"""A saved model of texts as one ONNX graph: pieces of texts in, calibrated probabilities and decisions out.

Its inputs are int64: `ids` and `mask` (W, T), the pieces of W windows and 1 where there is one; `first` (W, T), 1 at
the pieces of a text's first three words, only where the model looks at them; `text` (W,), which text a window is of,
counted from 0. A short text is one window; a long one is several, whose means are averaged by their length inside the
graph. The tokeniser lies in a file beside it. Words that were weighed on the user's texts
(TF-IDF) come as numbers of their own (`export.words`).
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
from headstart.errors import BundleError
from headstart.model.export.graph import ExportGraph, add_answers, metadata_of, require_onnx, whole_model
from headstart.model.export.network import add_network, open_network
from headstart.model.export.operators import Graph, Value
from headstart.model.export.parity import TEXTS, Parity, compare
from headstart.model.export.runtimes import Run, open_runtime
from headstart.model.export.words import INPUTS as WORDS
from headstart.model.export.words import SUFFIX as VOCABULARY
from headstart.model.export.words import add_words, vocabulary, words_inputs, words_of
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
    """The model's encoder, which stands first."""
    return predictor.parts[0].backbone


def build_text_graph(predictor: Predictor, triage: Triage | None = None) -> ExportGraph:
    """The graph of a model of texts; raises as `graph.build_graph`."""
    require_onnx()
    encoder, words, graph = encoder_of(predictor), words_of(predictor), Graph()
    numbers = _numbers(graph)
    pooled = _add_encoder(graph, encoder, _tap_names(predictor), numbers)
    if words is not None:
        pooled |= add_words(graph, words, numbers)
    outputs, notes = add_answers(graph, predictor, pooled, triage)
    metadata = metadata_of(predictor, triage, outputs) | _stranger_facts(encoder.spec, words)
    inputs = [_input(name, np.int64, ["W", "T"]) for name in input_names(predictor)] + [_input(TEXT, np.int64, ["W"])]
    inputs += [] if words is None else [_input(name, kind, ["M"]) for name, kind in WORDS.items()]
    model = whole_model(graph, inputs, outputs, predictor, metadata)
    return ExportGraph(model, tuple(outputs), {}, tuple(notes))


def _tap_names(predictor: Predictor) -> tuple[str, ...]:
    """The encoder's taps that head and novelty look at."""
    taps = [tap for part in predictor.parts if part.backbone.name != NAME for tap in part.taps]
    return tuple(dict.fromkeys((*taps, *predictor.novelty_taps)))


def input_names(predictor: Predictor) -> tuple[str, ...]:
    """What the graph takes of each window; `first` only where it is looked at."""
    kinds = {encoder_of(predictor).tap(name).kind for name in _tap_names(predictor)}
    return INPUTS if "first" in kinds else INPUTS[:-1]


def _numbers(graph: Graph) -> Value:
    """The texts of a call: 0, 1, … (N,)."""
    one = graph.constant(np.array(1, np.int64))
    count = graph.op("Add", graph.op("ReduceMax", TEXT, keepdims=0), one)
    return graph.op("Range", np.array(0, np.int64), count, one)


def _add_encoder(graph: Graph, encoder: Any, names: Sequence[str], numbers: Value) -> dict[tuple[str, str], Value]:
    """The taps of texts, each of length one: windows weighed by their pieces, as `embed.text_engine` does."""
    network = open_network(encoder, INPUTS)
    _plain_weights(network)
    wanted = {name: encoder.tap(name).pooled for name in names}
    windows = add_network(graph, network, {name: name for name in INPUTS}, list(wanted.values()), f"{encoder.name}/")
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


def _stranger_facts(spec: TextSpec, words: Any) -> dict[str, Any]:
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
        **({} if words is None else {"vocabulary": words.weights}),
    }


def _input(name: str, kind: Any, shape: Sequence[str]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), list(shape))


def write_beside(exported: ExportGraph, predictor: Predictor, folder: Path, stem: str) -> list[Path]:
    """The tokeniser, the vocabulary of weighed words where there is one, and the metadata beside the graph."""
    entries = {entry.key: entry.value for entry in exported.model.metadata_props}
    about = json.dumps(json.loads(entries["headstart"]), indent=1, ensure_ascii=False) + "\n"
    contents = {**_beside(predictor), ".json": about.encode()}
    for suffix, content in contents.items():
        (folder / f"{stem}{suffix}").write_bytes(content)
    return [folder / f"{stem}{suffix}" for suffix in contents]


def _beside(predictor: Predictor) -> dict[str, bytes]:
    """Suffix → content of the files that a text is made into numbers with."""
    words = words_of(predictor)
    tokenizer = {SUFFIX: encoder_of(predictor).spec.file.read_bytes()}
    return tokenizer if words is None else {**tokenizer, VOCABULARY: vocabulary(words)}


def check_beside(path: Path, predictor: Predictor) -> None:
    """Raise `BundleError` where the tokeniser or vocabulary beside an exported file is not the model's."""
    for suffix, content in _beside(predictor).items():
        file = path.with_name(f"{path.stem}{suffix}")
        if not file.is_file() or file.read_bytes() != content:
            what = "tokeniser" if suffix == SUFFIX else "vocabulary"
            raise BundleError(f"{file}, the {what} beside {path}, is missing or another: export the model again.")


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
    wanted, words = (*input_names(predictor), TEXT), words_of(predictor)
    answers: list[Floats] = []
    for low in range(0, len(texts), _TEXTS):
        some = texts[low : low + _TEXTS]
        inputs = graph_inputs(encoder_of(predictor).spec, some)
        more = {} if words is None else words_inputs(words, some)
        answers.append(run({name: inputs[name] for name in wanted} | more)["probabilities"])
    return np.concatenate(answers)
