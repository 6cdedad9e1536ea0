"""A detector or segmenter as one ONNX graph: an upright image of any size in, boxes or a class map out.

Its input is `image`, uint8 (1, H, W, 3). It holds the scaling onto the canvas, the backbone, the head, decoding and
suppression; class names and the threshold stand in the metadata. `core_graph` begins behind the scaling. Needs onnx,
and runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart._version import __version__
from headstart.backbones.graph import INPUT
from headstart.embed.spatial.taps import CONTEXT, TAPS
from headstart.errors import OptionError
from headstart.heads.spatial.points import grid_points
from headstart.model.export.graph import IMAGE, METADATA, ExportGraph, require_onnx
from headstart.model.export.network import add_network, needed_nodes, open_network
from headstart.model.export.operators import OPSET, Graph, Value
from headstart.model.export.spatial.boxes import BOXES, CLASSES, SCORES, add_boxes
from headstart.model.export.spatial.canvas import Placing, add_lay, add_placing, add_size
from headstart.model.export.spatial.grid import add_context, add_grid
from headstart.model.export.spatial.masks import LABELS, add_labels

if TYPE_CHECKING:
    from headstart.model.spatial.predictor import SpatialPredictor

CANVAS, SIZE = "canvas", "size"
"""Inputs of the part behind the scaling: the image on its canvas, and the width and height that it had."""
OUTPUTS = {"boxes": (BOXES, SCORES, CLASSES), "masks": (LABELS,)}
_IR = 8
_MOST_CLASSES = 255


def build_spatial_graph(predictor: SpatialPredictor) -> ExportGraph:
    """The graph of a detector or segmenter. Raises `MissingExtra` without onnx."""
    require_onnx()
    task, canvas = predictor.task, predictor.canvas
    if task.name == "masks" and len(predictor.classes) > _MOST_CLASSES:
        raise OptionError(
            f"a class map of bytes holds {_MOST_CLASSES} classes; the model has {len(predictor.classes)}."
        )
    graph = Graph()
    size = add_size(graph, IMAGE, SIZE)
    placing = add_placing(graph, size, canvas)
    pixels = add_lay(graph, IMAGE, placing, canvas, predictor.backbone.spec.ground, CANVAS)
    columns, rows = canvas.width // task.stride, canvas.height // task.stride
    outputs = add_grid(graph, _taps(graph, predictor, pixels), predictor.head, columns, rows)
    _add_answer(graph, predictor, outputs, placing)
    return ExportGraph(_model(graph, predictor), OUTPUTS[task.name], {})


def _taps(graph: Graph, predictor: SpatialPredictor, pixels: Value) -> list[tuple[Value, int, int]]:
    """The maps in the order of the head's features, with their channels and rows."""
    backbone = predictor.backbone
    wanted = [backbone.tap(name).spatial for name in TAPS]
    names = add_network(graph, open_network(backbone), {INPUT: pixels}, wanted, f"{backbone.name}/")
    blank = np.zeros((predictor.canvas.height, predictor.canvas.width, 3), np.uint8)
    cells = {name: tap.shape[0] for name, tap in zip(TAPS, predictor.engine.maps(blank), strict=False)}
    taps = [(names[backbone.tap(name).spatial], backbone.tap(name).width, cells[name]) for name in TAPS]
    tap, side = CONTEXT
    around = add_context(graph, names[backbone.tap(tap).spatial], side)
    return [*taps, (around, backbone.tap(tap).width, cells[tap])]


def _add_answer(graph: Graph, predictor: SpatialPredictor, outputs: Value, placing: Placing) -> None:
    task, canvas = predictor.task, predictor.canvas
    if task.name == "masks":
        add_labels(graph, outputs, canvas, placing)
        return
    points = grid_points(canvas.width // task.stride, canvas.height // task.stride, task.stride)
    add_boxes(graph, outputs, points, len(predictor.classes), placing)


def spatial_metadata(predictor: SpatialPredictor) -> dict[str, Any]:
    """What a stranger must know of the graph, as JSON-like values."""
    backbone = predictor.backbone
    return {
        "headstart": __version__,
        "task": predictor.task.name,
        "classes": list(predictor.classes),
        "threshold": predictor.threshold,
        "outputs": list(OUTPUTS[predictor.task.name]),
        "input": "uint8 (1, H, W, 3), RGB, upright as the EXIF says, any size; nothing else is to be done to it",
        "canvas": predictor.canvas.to_dict(),
        "licences": [f"{backbone.name}: {backbone.licence}"],
        "fingerprint": spatial_fingerprint(predictor),
    }


def spatial_fingerprint(predictor: SpatialPredictor) -> str:
    """Names the model that a graph was made of."""
    layers = {name: fingerprint.hash_bytes(array.tobytes()) for name, array in predictor.head.to_arrays().items()}
    return fingerprint.hash_parts(
        *(layers, predictor.backbone.weights, predictor.canvas.to_dict()),
        *(list(predictor.classes), predictor.task.name, predictor.threshold),
    )


def core_spatial_graph(exported: ExportGraph, predictor: SpatialPredictor) -> bytes:
    """The part behind the scaling: it takes an image that Headstart itself laid on the canvas, and its size."""
    from onnx import ModelProto, TensorProto, helper

    model = ModelProto()
    model.CopyFrom(exported.model)
    nodes = needed_nodes(model.graph.node, exported.outputs, (CANVAS, SIZE))
    used = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in exported.model.graph.initializer if tensor.name in used]
    for field, values in ((model.graph.node, nodes), (model.graph.initializer, constants)):
        del field[:]
        field.extend(values)
    del model.graph.input[:]
    canvas = predictor.canvas
    shape = [1, canvas.height, canvas.width, 3]
    model.graph.input.append(helper.make_tensor_value_info(CANVAS, TensorProto.UINT8, shape))
    model.graph.input.append(helper.make_tensor_value_info(SIZE, TensorProto.INT64, [2]))
    return bytes(model.SerializeToString())


def _model(graph: Graph, predictor: SpatialPredictor) -> Any:
    from onnx import TensorProto, helper

    kinds: Mapping[str, tuple[int, Sequence[str | int]]] = {
        BOXES: (TensorProto.FLOAT, ["n", 4]),
        SCORES: (TensorProto.FLOAT, ["n"]),
        CLASSES: (TensorProto.INT64, ["n"]),
        LABELS: (TensorProto.UINT8, ["rows", "columns"]),
    }
    names = OUTPUTS[predictor.task.name]
    results = [helper.make_tensor_value_info(name, kinds[name][0], list(kinds[name][1])) for name in names]
    pixels = helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [1, "H", "W", 3])
    whole = helper.make_graph(graph.nodes, "headstart", [pixels], results, initializer=graph.constants)
    model = helper.make_model(
        whole,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR,
        producer_name="headstart",
        producer_version=__version__,
    )
    model.doc_string = f"{predictor.task.name} of {len(predictor.classes)} classes; see the metadata {METADATA!r}"
    helper.set_model_props(model, {METADATA: json.dumps(spatial_metadata(predictor), ensure_ascii=False)})
    return model
