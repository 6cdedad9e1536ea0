"""A saved model as one ONNX graph: images of any size in, calibrated probabilities and decisions out.

`build_graph` puts the pieces together: resampling, backbones, head, calibration, novelty, decision, heat. Its input is
`image`, uint8 (N, H, W, 3), RGB, upright; its outputs are named in `OUTPUTS`, those that the model has. `core_graph` is
the part behind the resampling, which takes the squares. Class names and all a stranger needs stand in the metadata.
Needs onnx, and runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart._version import __version__
from headstart.backbones.graph import INPUT
from headstart.errors import MissingExtra
from headstart.heads.forms.linear import Linear
from headstart.model.export.heads import add_head
from headstart.model.export.heat import TILES, add_heat, is_mean_of
from headstart.model.export.network import add_network, needed_nodes, open_network
from headstart.model.export.operators import OPSET, Graph, Value
from headstart.model.export.resampling import add_resampling
from headstart.model.export.trust import add_calibration, add_decision, add_novelty

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.model.predictor import Predictor
    from headstart.trust.triage.records import Triage

IMAGE = "image"
SQUARES = "squares"
"""Resampled images, before the first backbone; those of further ones have a number behind it."""
OUTPUTS = ("probabilities", "scores", "embedding", "novelty", "decision", "heat")
METADATA = "headstart"
"""The metadata's key: a JSON object."""
DECISIONS = ("review", "accept")
_IR = 8


@dataclass(frozen=True, eq=False)
class ExportGraph:
    """A model as a graph. model: ONNX. outputs: those it has. squares: input of each backbone → its side.

    precision: of what is stored; see `precision.py`.
    """

    model: Any
    outputs: tuple[str, ...]
    squares: Mapping[str, int]
    notes: tuple[str, ...] = ()
    precision: str = "f32"


@dataclass(eq=False)
class _Taps:
    """Taps of the parts: (weights, tap) → (pooled, spatial), and what was said on the way."""

    pooled: dict[tuple[str, str], Value] = field(default_factory=dict)
    spatial: dict[tuple[str, str], Value] = field(default_factory=dict)
    squares: dict[str, int] = field(default_factory=dict)


def require_onnx(work: str = "exporting a model") -> None:
    """Raise `MissingExtra` where onnx is not installed."""
    if find_spec("onnx") is None:
        raise MissingExtra(work, "export", "onnx")


def build_graph(predictor: Predictor, triage: Triage | None = None, precision: str = "f32") -> ExportGraph:
    """The graph of a model.

    triage: the guarantee behind `decision`, which is left out where there is none. precision: what the metadata say
    of it. Raises `OptionError` for a head that cannot be exported, `MissingExtra` without onnx.
    """
    require_onnx()
    graph = Graph()
    linear = isinstance(predictor.form, Linear)
    taps = _add_backbones(graph, predictor, heat=linear)
    columns = [(part, tap) for part in predictor.parts for tap in part.taps]
    outputs, notes = add_answers(graph, predictor, taps.pooled, triage)
    if isinstance(predictor.form, Linear):
        if all((part.backbone.weights, tap) in taps.spatial for part, tap in columns):
            entries = [
                (taps.pooled[key], taps.spatial[key], part.backbone.tap(tap).width)
                for part, tap in columns
                for key in [(part.backbone.weights, tap)]
            ]
            add_heat(graph, entries, predictor.form, "heat")
            outputs.append("heat")
        else:
            notes.append("No heat map: a layer that the head looks at is no mean over the image's positions.")
    metadata = {**metadata_of(predictor, triage, outputs), "precision": precision}
    model = whole_model(graph, [_pixels(IMAGE, ["N", "H", "W", 3])], outputs, predictor, metadata)
    return ExportGraph(model, tuple(outputs), taps.squares, tuple(notes))


def add_answers(
    graph: Graph, predictor: Predictor, pooled: Mapping[tuple[str, str], Value], triage: Triage | None
) -> tuple[list[str], list[str]]:
    """What follows on the taps: head, calibration, novelty and decision; gives the outputs and what is to be said.

    pooled: (weights, tap) → (N, width).
    """
    notes: list[str] = []
    values = [pooled[part.backbone.weights, tap] for part in predictor.parts for tap in part.taps]
    embedding = graph.op("Concat", *values, axis=1, name="embedding")
    scores = graph.op("Identity", add_head(graph, embedding, predictor.form), name="scores")
    calibrated = add_calibration(graph, scores, predictor.calibration, len(predictor.classes))
    outputs = ["probabilities", "scores", "embedding"]
    probabilities = graph.op("Identity", calibrated, name="probabilities")
    novelty = None
    if predictor.trust is not None and predictor.trust.novelty is not None:
        layers = [pooled[predictor.parts[0].backbone.weights, tap] for tap in predictor.novelty_taps]
        novelty = graph.op("Identity", add_novelty(graph, layers, predictor.trust.novelty), name="novelty")
        outputs.append("novelty")
    if triage is not None:
        graph.op("Identity", add_decision(graph, probabilities, novelty, triage.thresholds), name="decision")
        outputs.append("decision")
    else:
        notes.append("The graph decides nothing: the model was trained without a guarantee (--max-error).")
    return outputs, notes


def _add_backbones(graph: Graph, predictor: Predictor, *, heat: bool) -> _Taps:
    """Every distinct backbone once, behind its resampling."""
    taps, backbones = _Taps(), {part.backbone.weights: part.backbone for part in predictor.parts}
    for number, (weights, backbone) in enumerate(backbones.items()):
        squares = f"{SQUARES}{number or ''}"
        add_resampling(graph, IMAGE, backbone.spec, squares)
        taps.squares[squares] = backbone.spec.size
        head_taps = [tap for part in predictor.parts if part.backbone.weights == weights for tap in part.taps]
        novelty_taps = predictor.novelty_taps if weights == predictor.parts[0].backbone.weights else ()
        network = open_network(backbone)
        spatial = _means(network, backbone, head_taps) if heat else []
        names = list(dict.fromkeys((*head_taps, *novelty_taps)))
        wanted = [backbone.tap(name).pooled for name in names] + [backbone.tap(name).spatial for name in spatial]
        found = add_network(graph, network, {INPUT: squares}, wanted, f"{backbone.name}{number or ''}/")
        taps.pooled |= {(weights, name): found[backbone.tap(name).pooled] for name in names}
        taps.spatial |= {(weights, name): found[backbone.tap(name).spatial] for name in spatial}
    return taps


def _means(network: Any, backbone: Backbone, names: Sequence[str]) -> list[str]:
    """The taps whose pooled output is the mean over positions of the spatial one."""
    producers = {output: node for node in network.graph.node for output in node.output}
    taps = [backbone.tap(name) for name in dict.fromkeys(names)]
    return [tap.name for tap in taps if tap.kind != "logits" and is_mean_of(tap.pooled, tap.spatial, producers)]


def metadata_of(predictor: Predictor, triage: Triage | None, outputs: Sequence[str]) -> dict[str, Any]:
    """What a stranger must know of the graph, as JSON-like values."""
    licences = list(dict.fromkeys(f"{p.backbone.name}: {p.backbone.licence}" for p in predictor.parts))
    guarantee = None
    if triage is not None:
        guarantee = {
            "max_error": triage.max_error,
            "confidence": triage.confidence_level,
            "thresholds": list(triage.thresholds),
            "sentence": triage.sentences()[0],
        }
    return {
        "headstart": __version__,
        "task": predictor.task,
        "classes": list(predictor.classes),
        "decisions": list(DECISIONS),
        "guarantee": guarantee,
        "novel_above": 1.0 if "novelty" in outputs else None,
        "outputs": list(outputs),
        "input": "uint8 (N, H, W, 3), RGB, upright as the EXIF says, any size; nothing else is to be done to it",
        "licences": licences,
        "fingerprint": model_fingerprint(predictor),
    }


def model_fingerprint(predictor: Predictor) -> str:
    """Names the model that a graph was made of: its backbones, head, calibration and evidence."""
    from headstart import fingerprint

    files = {} if predictor.bundle is None else predictor.bundle.manifest["files"]
    prints = {name: facts["fingerprint"] for name, facts in files.items() if name.endswith(".safetensors")}
    weights = [[part.backbone.weights, list(part.taps), part.backbone.spec.to_dict()] for part in predictor.parts]
    return fingerprint.hash_parts(prints, weights, list(predictor.classes), predictor.calibration.to_dict())


def core_graph(exported: ExportGraph) -> ExportGraph:
    """The part of a graph behind its resampling: it takes the squares that Headstart's own decode makes."""
    from onnx import ModelProto

    model = ModelProto()
    model.CopyFrom(exported.model)
    kept = needed_nodes(model.graph.node, exported.outputs, list(exported.squares))
    used = {name for node in kept for name in node.input}
    del model.graph.node[:]
    model.graph.node.extend(kept)
    constants = [tensor for tensor in exported.model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    del model.graph.input[:]
    model.graph.input.extend(_pixels(name, ["N", side, side, 3]) for name, side in exported.squares.items())
    return replace(exported, model=model, notes=())


def _pixels(name: str, shape: Sequence[str | int]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.UINT8, list(shape))


def whole_model(
    graph: Graph, inputs: Sequence[Any], outputs: Sequence[str], predictor: Predictor, metadata: Any
) -> Any:
    """The ONNX model of a graph. inputs: descriptions of its inputs. metadata: what a stranger must know."""
    from onnx import TensorProto, helper

    shapes: dict[str, list[str | int]] = {
        "probabilities": ["N", len(predictor.classes)],
        "scores": ["N", len(predictor.classes)],
        "embedding": ["N", sum(part.width for part in predictor.parts)],
        "novelty": ["N"],
        "decision": ["N"],
        "heat": ["N", len(predictor.classes), TILES, TILES],
    }
    values = [
        helper.make_tensor_value_info(
            name, TensorProto.INT64 if name == "decision" else TensorProto.FLOAT, shapes[name]
        )
        for name in outputs
    ]
    whole = helper.make_graph(graph.nodes, "headstart", list(inputs), values, initializer=graph.constants)
    model = helper.make_model(
        whole,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR,
        producer_name="headstart",
        producer_version=__version__,
    )
    model.doc_string = f"{len(predictor.classes)} classes; see the metadata {METADATA!r}"
    helper.set_model_props(model, {METADATA: json.dumps(metadata, ensure_ascii=False)})
    return model


def squares_of(predictor: Predictor, images: Sequence[Any]) -> dict[str, Any]:
    """What the core graph takes: images as Headstart's own decode makes them."""
    backbones = list({part.backbone.weights: part.backbone for part in predictor.parts}.values())
    return {
        f"{SQUARES}{number or ''}": np.stack([backbone.spec.load(image) for image in images])
        for number, backbone in enumerate(backbones)
    }
