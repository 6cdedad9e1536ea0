"""What runs a backbone's graph: the contract of an engine, and the choice of one for a device.

An engine takes decoded images and gives the pooled activations of every tap, side by side. It neither decodes nor
caches. OpenVINO runs on CPUs; torch runs on accelerators, and on CPUs where OpenVINO is not installed.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.device import threads
from headstart.records import Floats

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

_KEPT_OPEN = 4

_open: OrderedDict[str, Engine] = OrderedDict()
_opening = threading.Lock()


class Engine(ABC):
    """A backbone ready to run.

    batch: how many images one call takes. requests: how many calls may run at the same time with profit.
    """

    batch: int
    requests: int

    @abstractmethod
    def run(self, images: NDArray[np.uint8], count: int) -> Floats:
        """Pooled activations of the first `count` images of a full buffer, one row each: (count, width of all taps).

        images: (batch, size, size, 3), C-contiguous; what lies behind the first `count` changes nothing.
        An image's row does not depend on the other images. Safe to call from several threads.
        """


def engine_for(device: Device) -> str:
    """The kind of engine that serves a device: `openvino` or `torch`."""
    return "openvino" if device.kind == "cpu" and find_spec("openvino") is not None else "torch"


def recipe(backbone: Backbone, device: Device) -> str:
    """Names all that an image's row depends on besides the image; equal recipes give equal rows.

    A new version of an engine keeps the recipe: it moves rows by rounding alone.
    """
    taps = [tap.name for tap in backbone.taps]
    return fingerprint.of_parts(
        backbone.spec.fingerprint(), backbone.weights, taps, engine_for(device), device.kind, device.precision
    )


def open_engine(backbone: Backbone, device: Device) -> Engine:
    """An engine for a backbone on a device; the last few are kept, so that asking again costs nothing.

    Raises `MissingExtra` when the device needs torch and torch is not installed.
    """
    name = f"{recipe(backbone, device)} {threads()}"
    with _opening:
        if name not in _open:
            _open[name] = _build(backbone, device)
        _open.move_to_end(name)
        while len(_open) > _KEPT_OPEN:
            _open.popitem(last=False)
        return _open[name]


def _build(backbone: Backbone, device: Device) -> Engine:
    if engine_for(device) == "openvino":
        from headstart.embed.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(backbone, precision=device.precision)
    from headstart.embed.torch_engine import TorchEngine

    return TorchEngine(backbone, device)
