"""The OpenVINO engine: a backbone's graph on a CPU, with several requests at a time.

Tensors that fine-tuning changed replace the graph's own; then it is cut down to the pooled outputs of its taps, given
one fixed batch size (so that an image's row cannot depend on how many others came along), and compiled for throughput.
The compiled network is cached, so that the next run neither reads the graph nor compiles it.
"""

from __future__ import annotations

import functools
import io
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.backbones.deltas import fit_tensors
from headstart.device import EXACT, FULL, threads
from headstart.embed.engine import Engine
from headstart.embed.network import Network, last_line
from headstart.errors import BackboneError
from headstart.records.arrays import Floats
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import COMPILED, cache_folder

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

# One image a request is as fast as eight in either precision (docs/evidence/export.md), and answers a single image
# eight times sooner.
BATCH = 1
_COMPILED_LIMIT, _MOST_COMPILED = 8 << 30, 16
_WAKING = threading.Lock()


class CompiledNetwork(Network):
    """A compiled network with its requests."""

    def __init__(self, network: Any) -> None:
        wake_binding()
        self.requests = max(1, int(network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
        self._outputs = range(len(network.outputs))
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.requests):
            self._idle.put(network.create_infer_request())

    def infer(self, inputs: Mapping[str, NDArray[Any]] | Mapping[int, NDArray[Any]]) -> list[NDArray[Any]]:
        """As the contract says, and by position: waits for an idle request, runs it, copies what it gives."""
        request = self._idle.get()
        try:
            request.infer(inputs, share_inputs=True, share_outputs=True)
            return [request.get_output_tensor(i).data.copy() for i in self._outputs]
        finally:
            self._idle.put(request)


@functools.cache
def _convert_once() -> None:
    import openvino as ov

    _ = ov.Tensor(np.zeros((1, 1), np.float32), shared_memory=True).data


def wake_binding() -> None:
    """Make the first conversion between numpy and OpenVINO of this process, one thread at a time.

    It sets up statics of the binding (pybind11's numpy interface) and gives up the interpreter's lock while it does:
    two threads that meet there wait for each other for ever.
    """
    with _WAKING:
        _convert_once()


class Requests(Engine):
    """A compiled network that takes a batch in the form of `buffer` and gives arrays of rows, side by side."""

    def __init__(self, network: Any, buffer: NDArray[Any]) -> None:
        self._network = CompiledNetwork(network)
        self.batch, self.requests = len(buffer), self._network.requests

    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """As the contract says."""
        outputs = [output[:count].reshape(count, -1) for output in self._network.infer({0: inputs})]
        return np.concatenate(outputs, axis=1, dtype=np.float32)


class OpenVINOEngine(Requests):
    """A graph compiled for this CPU; `precision` is `f32` or `bf16`.

    Raises `BackboneError` when the graph cannot be read or lacks a tap.
    """

    def __init__(self, backbone: Backbone, *, precision: str, batch: int = BATCH) -> None:
        buffer = backbone.spec.buffer(batch)
        made_from = (backbone.weights, [tap.name for tap in backbone.taps], list(buffer.shape[1:]))
        pooled = [tap.pooled for tap in backbone.taps]
        network = compiled_network(
            lambda: cut_graph(backbone, pooled, buffer.shape), *made_from, batch=batch, precision=precision
        )
        super().__init__(network, buffer)


def open_compiled(
    backbone: Backbone, outputs: Sequence[str], *, shape: Sequence[int] | None, precision: str
) -> CompiledNetwork:
    """These outputs of a backbone's graph, compiled; as `networks.open_network`."""
    names, sides = list(outputs), None if shape is None else list(shape)
    return CompiledNetwork(
        compiled_network(
            lambda: cut_graph(backbone, names, sides), backbone.weights, names, sides, batch=1, precision=precision
        )
    )


@functools.cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def compiled_networks() -> FileCache:
    """The networks that earlier runs compiled."""
    return FileCache(cache_folder(COMPILED), limit=_COMPILED_LIMIT, most_files=_MOST_COMPILED)


def compiled_network(model: Callable[[], Any], *made_from: object, batch: int, precision: str) -> Any:
    """The compiled network: from the cache, else compiled now from `model()` and cached.

    made_from: JSON-like values that name all that the model depends on besides its batch size.
    """
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": FULL if precision == EXACT else precision,
        "INFERENCE_NUM_THREADS": threads(),
    }
    if precision == EXACT:  # else activations beside int8 weights are rounded to eight bits, whatever the hint says
        options["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0
    name = _name(*made_from, batch, options)
    cache = compiled_networks()
    if blob := cache.get(name):
        try:
            return _core().import_model(io.BytesIO(blob), "CPU", options)
        except RuntimeError:  # another build of OpenVINO may refuse what this version wrote
            pass
    network = _core().compile_model(model(), "CPU", options)
    cache.put(name, network.export_model().getvalue())
    return network


def _name(*made_from: object) -> str:
    """Names a compiled network by all that it was made from: graph, shape, options; OpenVINO and processor."""
    import openvino

    processor = _core().get_property("CPU", "FULL_DEVICE_NAME")
    abilities = sorted(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return fingerprint.hash_parts(*made_from, openvino.get_version(), processor, abilities)


def cut_graph(backbone: Backbone, outputs: Sequence[str], shape: Sequence[int] | None) -> Any:
    """The graph with these outputs alone, in this order, for an input of this shape; raises `BackboneError`."""
    import openvino
    from openvino import frontend

    failures = (
        *(frontend.GeneralFailure, frontend.InitializationFailure, frontend.NotImplementedFailure),
        *(frontend.OpConversionFailure, frontend.OpValidationFailure),
    )
    try:  # as ONNX and nothing else: `read_model` would try every format it knows on a stranger's file
        reader = frontend.FrontEndManager().load_by_framework("onnx")
        model = reader.convert(reader.load(str(backbone.graph)))
        places = [model.output(name) for name in outputs]
    except (RuntimeError, *failures) as error:
        raise BackboneError(
            f"the graph of {backbone.name} at {backbone.graph} cannot be used ({last_line(error)}): "
            "install Headstart again, or convert the backbone again."
        ) from error
    _apply_delta(model, backbone)
    model = openvino.Model(places, model.get_parameters(), backbone.name)
    if shape is not None:
        model.reshape({model.input(0): list(shape)})
    return model


def _apply_delta(model: Any, backbone: Backbone) -> None:
    """Connect the consumers of each changed tensor to its new values."""
    if backbone.delta is None:
        return
    from openvino import op

    constants = {node.get_friendly_name(): node for node in model.get_ops() if _is_numbers(node)}
    shapes = {name: tuple(node.get_output_shape(0)) for name, node in constants.items()}
    for name, array in fit_tensors(backbone, shapes).items():
        constant = op.Constant(array)
        constant.set_friendly_name(name)
        for target in constants[name].output(0).get_target_inputs():  # a cast to float32 where it was stored as float16
            target.replace_source_output(constant.output(0))


def _is_numbers(node: Any) -> bool:
    return node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in ("f16", "f32")
