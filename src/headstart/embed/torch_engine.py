"""torch: a backbone's network on CUDA or MPS, and on a CPU without OpenVINO.

The network is built from the graph's own weights and run with channels last; on accelerators under autocast, on a CPU
with batch normalisation folded into the convolutions. Every call runs the same batch size, padded, so that an image's
row does not depend on how many others came along. Needs `headstart[finetune]`.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.device import keep_freed_memory
from headstart.embed.engine import Engine
from headstart.errors import MissingExtra
from headstart.records import Floats

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

_BATCH = {"cpu": 8, "mps": 32, "cuda": 64}
_CLOSE = 1e-3


class TorchEngine(Engine):
    """A network on a torch device, in the device's precision.

    Raises `MissingExtra` without torch and timm, `BackboneError` when the network cannot be built.
    """

    def __init__(self, backbone: Backbone, device: Device) -> None:
        torch = _torch(backbone.name)
        from headstart.backbones.convert import rebuild

        if device.kind == "cpu":
            keep_freed_memory()
        self.batch = _BATCH[device.kind]
        self.requests = 1  # torch spreads one call over all processors, or over the whole accelerator
        stages = rebuild(backbone)
        network = stages.network.eval().requires_grad_(False)
        if device.kind == "cpu":
            _fold(stages, backbone.spec.size)
        network.to(device.kind, memory_format=torch.channels_last)
        self._taps, self._pooled = stages.taps, [f"{tap.name}.pooled" for tap in backbone.taps]
        self._device = torch.device(device.kind)
        dtype = {"bf16": torch.bfloat16, "f16": torch.float16}.get(device.precision)
        self._dtype = dtype if device.kind != "cpu" else None
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self._device).reshape(1, 3, 1, 1)
            for values in (backbone.spec.mean, backbone.spec.std)
        )
        self._alone = threading.Lock()

    def run(self, images: NDArray[np.uint8], count: int) -> Floats:
        """As the contract says; calls from several threads take turns."""
        import torch

        with self._alone, torch.inference_mode(), self._autocast():
            pixels = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)
            found = self._taps((pixels.float() - self._mean) / self._std)
            pooled = torch.cat([found[name].float() for name in self._pooled], dim=1)
            rows: Floats = pooled[:count].cpu().numpy()
        return rows

    def _autocast(self) -> Any:
        import torch

        if self._dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)


def _torch(name: str) -> Any:
    work = f"running {name} with torch"
    for package in ("torch", "timm"):
        try:
            module = __import__(package)
        except ImportError as error:
            raise MissingExtra(work, "finetune", package) from error
        if package == "torch":
            torch = module
    return torch


def _fold(stages: Any, side: int) -> None:
    """Fold each batch normalisation into the convolution whose output it alone takes; its activation stays.

    Which belong together is seen on a small run. When the network then computes anything else, all is put back.
    """
    import torch

    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    before = _pooled(stages, image)
    kept = {name: value.clone() for name, value in stages.network.state_dict().items()}
    epsilons = [(norm, norm.eps) for _, norm in (pairs := _pairs(stages, image))]
    biased = [convolution for convolution, _ in pairs if convolution.bias is None]
    for convolution, norm in pairs:
        _fold_pair(convolution, norm)
    after = _pooled(stages, image)
    scale = max(float(before.abs().max()), 1e-6)
    if not float((after - before).abs().max()) <= _CLOSE * scale:
        for convolution in biased:
            convolution.bias = None
        for norm, eps in epsilons:
            norm.eps = eps
        stages.network.load_state_dict(kept)


def _pooled(stages: Any, image: Any) -> Any:
    import torch

    with torch.inference_mode():
        found = stages.taps(image)
        return torch.cat([value for name, value in found.items() if name.endswith(".pooled")], dim=1)
