"""Chooses and opens the engine that runs a backbone on a device.

OpenVINO runs on CPUs, ONNX Runtime where OpenVINO is not installed; torch runs on accelerators, and on CPUs that have
neither.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.device import installed, threads
from headstart.embed.engine import Engine
from headstart.embed.networks import cpu_engine
from headstart.errors import MissingEngine

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

_MOST_OPEN = 4

_open: OrderedDict[str, Engine] = OrderedDict()

_opening = threading.Lock()


def engine_for(device: Device) -> str:
    """The kind of engine that serves a device: `openvino`, `onnxruntime` or `torch`."""
    return (cpu_engine() if device.kind == "cpu" else None) or "torch"


def engine_key(backbone: Backbone, device: Device) -> str:
    """The part of a row's cache key that does not depend on the item: equal keys, equal rows.

    A new version of an engine keeps the key: it moves rows by rounding alone.
    """
    taps = [tap.name for tap in backbone.taps]
    return fingerprint.hash_parts(
        backbone.spec.fingerprint(), backbone.weights, taps, engine_for(device), device.kind, device.precision
    )


def open_engine(backbone: Backbone, device: Device) -> Engine:
    """An engine for a backbone on a device; the last few are kept, so that asking again costs nothing.

    Raises `MissingEngine` where nothing that is installed runs it.
    """
    name = f"{engine_key(backbone, device)} {threads()}"
    with _opening:
        if name not in _open:
            _open[name] = _build(backbone, device)
        _open.move_to_end(name)
        while len(_open) > _MOST_OPEN:
            _open.popitem(last=False)
        return _open[name]


def _build(backbone: Backbone, device: Device) -> Engine:
    if backbone.spec.modality == "text":
        from headstart.embed.text_engines import open_text_engine

        return open_text_engine(backbone, device)
    if engine_for(device) == "openvino":
        from headstart.embed.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(backbone, precision=device.precision)
    if engine_for(device) == "onnxruntime":
        from headstart.embed.onnxruntime_engine import OnnxRuntimeEngine

        return OnnxRuntimeEngine(backbone)
    if not _has_torch():
        raise MissingEngine(f"running {backbone.name}")
    from headstart.embed.torch_engine import TorchEngine

    return TorchEngine(backbone, device)


def _has_torch() -> bool:
    """Whether the torch engine is here, which headstart-runtime leaves out, and torch with it."""
    return installed("torch") and installed("headstart.embed.torch_engine")
