"""The torch engine: a backbone's network on CUDA or MPS, and on a CPU without OpenVINO.

The network is built from the graph's own weights and run with channels last; on accelerators under autocast, on a CPU
with batch normalisation folded into the convolutions. Every call runs the same batch size, padded, so that an image's
row does not depend on how many others came along. Needs `headstart[finetune]`.
"""

from __future__ import annotations

import contextlib
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from headstart.device import keep_freed_memory
from headstart.embed.engine import Engine
from headstart.errors import MissingExtra
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.backbones.conversion.stages import Stages
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

_BATCH = {"cpu": 8, "mps": 32, "cuda": 64}
_DTYPES = {"f32": None, "bf16": "bfloat16", "f16": "float16"}
_CLOSE = 1e-3


class TorchEngine(Engine):
    """A network on a torch device, in the device's precision.

    Raises `MissingExtra` without torch and timm, `BackboneError` when the network cannot be built.
    """

    def __init__(self, backbone: Backbone, device: Device) -> None:
        _require(f"running {backbone.name} with torch", "torch", "timm", "onnx")
        import torch

        self.batch = _BATCH[device.kind]
        self.requests = 1  # one call takes all processors, or the whole accelerator
        stages = _cpu_network(backbone) if device.kind == "cpu" else _network(backbone)
        stages.network.to(device.kind, memory_format=torch.channels_last)
        self._taps, self._pooled = stages.taps, [tap.pooled for tap in backbone.taps]
        self._device = torch.device(device.kind)
        self._dtype = None if device.kind == "cpu" else _DTYPES[device.precision]
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self._device).reshape(1, 3, 1, 1)
            for values in (backbone.spec.mean, backbone.spec.std)
        )
        self._alone = threading.Lock()

    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """As the contract says; calls from several threads take turns."""
        import torch

        with self._alone, torch.inference_mode(), self._autocast():
            pixels = torch.from_numpy(inputs).to(self._device).permute(0, 3, 1, 2)
            activations = self._taps((pixels.float() - self._mean) / self._std)
            pooled = torch.cat([activations[name].float() for name in self._pooled], dim=1)
            rows: Floats = pooled[:count].cpu().numpy()
        return rows

    def _autocast(self) -> Any:
        import torch

        if self._dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=getattr(torch, self._dtype))


def _require(work: str, *packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(work, "finetune", package)


def _network(backbone: Backbone) -> Stages:
    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.conversion.families import cut_network

    return cut_network(build_network(backbone).requires_grad_(False))


def _cpu_network(backbone: Backbone) -> Stages:
    """The network with batch normalisation folded, or as it is where that would change what it computes."""
    import torch

    keep_freed_memory()
    stages = _network(backbone)
    side = backbone.spec.size
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = stages.taps(image)
        for convolution, norm in convolutions_with_norms(stages, image):
            _fold(convolution, norm)
        after = stages.taps(image)
    same = all(torch.allclose(after[k], v, rtol=_CLOSE, atol=_CLOSE * float(v.abs().max())) for k, v in before.items())
    return stages if same else _network(backbone)


def convolutions_with_norms(stages: Stages, image: Any) -> list[tuple[Any, Any]]:
    """Convolutions with the batch normalisation that takes their output, as seen on a run."""
    from torch import nn

    outputs: dict[int, tuple[Any, Any]] = {}  # holding the tensors keeps their ids from being used again
    pairs: list[tuple[Any, Any]] = []

    def note_output(module: nn.Module, _: Any, output: Any) -> None:
        """Note what a convolution puts out."""
        outputs[id(output)] = (module, output)

    def note_pair(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note the pair where a norm takes a convolution's output."""
        if id(inputs[0]) in outputs:
            pairs.append((outputs[id(inputs[0])][0], module))

    modules = list(stages.network.modules())
    hooks = [m.register_forward_hook(note_output) for m in modules if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_pre_hook(note_pair) for m in modules if isinstance(m, nn.BatchNorm2d)]
    stages.taps(image)
    for hook in hooks:
        hook.remove()
    return pairs


def _fold(convolution: Any, norm: Any) -> None:
    """Let the convolution compute what it and the normalisation computed; of the latter its activation stays."""
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    convolution.weight, convolution.bias = fuse_conv_bn_weights(convolution.weight, convolution.bias, *statistics)
    activation = getattr(norm, "act", None)  # timm's layers have one
    norm.forward = lambda x: x if activation is None else activation(x)
    norm.eps = 0.0
    norm.reset_parameters()  # now it changes nothing either where a stage calls its own `forward`
