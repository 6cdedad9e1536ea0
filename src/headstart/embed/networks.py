"""Chooses what runs a graph on a CPU, by what is installed: OpenVINO, else ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.device import installed
from headstart.embed.network import Network
from headstart.errors import MissingEngine

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

CPU_ENGINES = ("openvino", "onnxruntime")
"""Packages that run graphs on a CPU, the quickest first."""


def cpu_engine() -> str | None:
    """The package that runs graphs on this machine's CPU; None where none is installed."""
    return next((name for name in CPU_ENGINES if installed(name)), None)


def open_network(backbone: Backbone, outputs: Sequence[str], *, shape: Sequence[int] | None, precision: str) -> Network:
    """These outputs of a backbone's graph, ready to run.

    shape: of its one input, an image; None for the inputs as they are. precision: `f32` or `bf16`, which OpenVINO alone
    computes in. Raises `MissingEngine`, and `BackboneError` when the graph cannot be read or lacks an output.
    """
    engine = cpu_engine()
    if engine is None:
        raise MissingEngine(f"running {backbone.name}")
    if engine == "openvino":
        from headstart.embed.openvino_engine import open_compiled

        return open_compiled(backbone, outputs, shape=shape, precision=precision)
    from headstart.embed.onnxruntime_engine import OnnxNetwork

    return OnnxNetwork(backbone, outputs, shape=shape)
