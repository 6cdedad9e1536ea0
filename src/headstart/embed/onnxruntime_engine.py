"""The ONNX Runtime engine: a backbone's graph on a CPU where OpenVINO is not installed, in single precision.

Tensors that fine-tuning changed replace the graph's own; then it is cut down to the outputs that are asked for, given
one fixed input shape, and opened. Nothing is kept on disk: opening takes a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.deltas import fit_tensors
from headstart.backbones.graph import INPUT
from headstart.backbones.onnx_file import edit_graph, float_tensors
from headstart.device import threads
from headstart.embed.engine import Engine
from headstart.embed.network import Network, last_line
from headstart.errors import BackboneError
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

BATCH = 1
"""As OpenVINO's: one image a call answers a single image soonest."""


class OnnxNetwork(Network):
    """A graph in ONNX Runtime.

    Raises `BackboneError` when the graph cannot be read or lacks an output.
    """

    requests = 1  # one call takes all processors

    def __init__(self, backbone: Backbone, outputs: Sequence[str], *, shape: Sequence[int] | None) -> None:
        self._session = _open_session(backbone, outputs, shape)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As the contract says."""
        outputs: list[NDArray[Any]] = self._session.run(None, dict(inputs))
        return outputs


class OnnxRuntimeEngine(Engine):
    """A graph in ONNX Runtime on this CPU; raises `BackboneError` when it cannot be read or lacks a tap."""

    def __init__(self, backbone: Backbone, *, batch: int = BATCH) -> None:
        self.batch = batch
        shape = backbone.spec.buffer(batch).shape
        self._network = OnnxNetwork(backbone, [tap.pooled for tap in backbone.taps], shape=shape)
        self.requests = self._network.requests

    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """As the contract says."""
        outputs = [output[:count].reshape(count, -1) for output in self._network.infer({INPUT: inputs})]
        return np.concatenate(outputs, axis=1, dtype=np.float32)


def _open_session(backbone: Backbone, outputs: Sequence[str], shape: Sequence[int] | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads(), 4
    # Threads that wait for work in a loop take the processors that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        content = backbone.graph.read_bytes()
        tensors = fit_tensors(backbone, float_tensors(content))
        graph = edit_graph(content, outputs=outputs, shape=shape, tensors=tensors)
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except _failures() as error:
        raise BackboneError(
            f"the graph of {backbone.name} at {backbone.graph} cannot be used ({last_line(error)}): "
            "install Headstart again, or convert the backbone again."
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """What a graph that cannot be used raises; ONNX Runtime's own errors share no class."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (OSError, ValueError, RuntimeError, *own)
