"""The frozen first stages of a network, ready to run fast: images in, what flows into the trained tail out.

`freeze` copies the first k stages out of a torch network, so that training the rest cannot touch them. `open_prefix`
makes an engine of them: OpenVINO on a CPU that has it, torch anywhere else. A row is one image's activations, channels
last: (rows, columns, channels) of a map, (tokens, channels) of a network of tokens, flattened. Nothing is cached here.
Needs torch.
"""

from __future__ import annotations

import copy
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.checks import between
from headstart.data.images.spec import ImageSpec
from headstart.device import Device
from headstart.embed.engine import Engine
from headstart.embed.engines import engine_for
from headstart.errors import InternalError
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headstart.backbones.conversion.stages import Stages

_BATCH = {"cpu": 8, "mps": 32, "cuda": 64}
_DTYPES = {"f32": None, "bf16": "bfloat16", "f16": "float16"}


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first stages of a network, copied and in evaluation mode.

    module: normalised images (N, 3, size, size) → activations. name: the last stage's. spec: what the network expects.
    shape: of one image's activations as torch has them, (channels, rows, columns) for maps. weights: fingerprint of
    the weights and of the stages that they belong to.
    """

    module: nn.Module
    name: str
    spec: ImageSpec
    shape: tuple[int, ...]
    weights: str

    @property
    def numbers(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.shape)

    def cache_key(self, device: Device) -> str:
        """Names all that an image's row depends on besides its pixels."""
        return fingerprint.hash_parts(
            self.weights, self.spec.fingerprint(), engine_for(device), device.kind, device.precision
        )


def freeze(stages: Stages, count: int, spec: ImageSpec) -> Prefix:
    """A copy of the first `count` stages (at least one) as they are now. Raises `OptionError` for a wrong number."""
    import torch

    between("number of frozen stages", count, 1, len(stages))
    network = copy.deepcopy(stages.network).cpu().eval().requires_grad_(False)
    module = _cut_alike(network, stages).prefix(count)
    with torch.no_grad():
        shape = tuple(module(torch.zeros(1, 3, spec.size, spec.size)).shape[1:])
    return Prefix(
        module, stages.names[count - 1], spec, shape, _weights_fingerprint(module, network, stages.names[:count])
    )


def _cut_alike(network: nn.Module, stages: Stages) -> Stages:
    """A copy of a network, cut as the original is: into its stages or, more finely, into their blocks."""
    from headstart.backbones.conversion.families import cut_network

    coarse = cut_network(network)
    for cut in (coarse, coarse.blocks()):
        if cut.names == stages.names:
            return cut
    raise InternalError(f"a {type(network).__name__} was cut into stages in a way that cannot be repeated.")


def _weights_fingerprint(module: nn.Module, network: nn.Module, names: tuple[str, ...]) -> str:
    """Two networks may have equal weights and run them in another way, so what prints differently is different."""
    arrays = {name: fingerprint.hash_array(value.numpy()) for name, value in module.state_dict().items()}
    return fingerprint.hash_parts(names, arrays, type(network).__name__, repr(module))


def open_prefix(prefix: Prefix, device: Device) -> Engine:
    """An engine that runs the prefix: rows (count, numbers), float32, channels last."""
    if engine_for(device) == "openvino":
        return _open_openvino(prefix, device.precision)
    return TorchPrefix(prefix, device)


def _open_openvino(prefix: Prefix, precision: str) -> Engine:
    from headstart.embed.openvino_engine import BATCH, Requests, compiled_network

    identity = ("prefix", prefix.weights, prefix.spec.to_dict())
    network = compiled_network(lambda: _convert(prefix, BATCH), *identity, batch=BATCH, precision=precision)
    return Requests(network, prefix.spec.buffer(BATCH))


def _convert(prefix: Prefix, batch: int) -> Any:
    """The prefix as an OpenVINO model of one fixed batch size: uint8 pixels in, rows with channels last out."""
    import openvino
    import torch

    from headstart.backbones.conversion.tracing import export_onnx, static_padding, traceable

    side = prefix.spec.size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with torch.no_grad(), traceable(), static_padding(prefix.module):
        content = export_onnx(
            _pixels_to_rows(prefix), example, ["rows"]
        )  # OpenVINO's own converter would report to its makers
    model = openvino.Core().read_model(content)
    model.reshape({model.input(0): [batch, side, side, 3]})
    return model


def _pixels_to_rows(prefix: Prefix) -> nn.Module:
    import torch

    from headstart.backbones.conversion.stages import piece

    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (prefix.spec.mean, prefix.spec.std))

    def run(image: Any) -> Any:
        """Images (N, size, size, 3) uint8 → activations at the boundary, channels last."""
        pixels = (image.to(torch.float32) - mean) / std
        return channels_last(prefix.module(pixels.permute(0, 3, 1, 2)))

    module: nn.Module = piece(run, network=prefix.module).eval()
    return module


def channels_last(activations: Tensor) -> Tensor:
    """(N, channels, rows, columns) as (N, rows, columns, channels); anything else as it is."""
    return activations.permute(0, 2, 3, 1) if activations.ndim == 4 else activations


class TorchPrefix(Engine):
    """The prefix as a torch module: on an accelerator under autocast, on a CPU in single precision."""

    def __init__(self, prefix: Prefix, device: Device) -> None:
        import torch

        self.batch = _BATCH[device.kind]
        self.requests = 1  # one call takes all processors, or the whole accelerator
        self._device = torch.device(device.kind)
        self._module = prefix.module.to(self._device, memory_format=torch.channels_last)
        self._dtype = None if device.kind == "cpu" else _DTYPES[device.precision]
        self._normalise = Normaliser(prefix.spec, self._device)
        self._lock = threading.Lock()

    def run(self, images: NDArray[np.uint8], count: int) -> Floats:
        """As the contract says; calls from several threads take turns."""
        import torch

        rows: Floats = channels_last(self.tensor(torch.from_numpy(images)))[:count].reshape(count, -1).cpu().numpy()
        return rows

    def tensor(self, images: Tensor) -> Tensor:
        """Float32 activations (N, ...) on the device, of pixels (N, size, size, 3) uint8 that may lie elsewhere."""
        import torch

        cast = torch.autocast(
            self._device.type, dtype=getattr(torch, self._dtype or "bfloat16"), enabled=self._dtype is not None
        )
        with self._lock, torch.no_grad(), cast:
            rows = self._module(self._normalise(images)).float()
        return rows.contiguous(memory_format=torch.channels_last) if rows.ndim == 4 else rows


class Normaliser:
    """uint8 pixels (N, size, size, 3) → float32 (N, 3, size, size) on a device, channels last in memory."""

    def __init__(self, spec: ImageSpec, device: Any) -> None:
        import torch

        self._device = device
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)
            for values in (spec.mean, spec.std)
        )

    def __call__(self, images: Tensor) -> Tensor:
        pixels = images.to(self._device, non_blocking=True).permute(0, 3, 1, 2)
        return (pixels.float() - self._mean) / self._std
