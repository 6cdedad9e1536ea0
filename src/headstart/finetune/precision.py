"""Which precision a training step runs in: what two timed steps of each say on this machine.

bfloat16 helps networks of dense convolutions and hurts depthwise ones on CPUs, so it is timed, not assumed. The answer
is kept, because a second run with the same seed must give the same result. Needs torch.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.files import put
from headstart.folders import cache_folder

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.device import Device
    from headstart.finetune.tail import Tail

_STEPS = 2


def choose(tail: Tail, sample: Tensor, device: Device, asked: str, name: str) -> tuple[str, str]:
    """`f32` or `bf16` for training this tail, and the reason.

    sample: a batch as the feed gives it. asked: auto, f32 or bf16. name: what the decision is kept under.
    """
    if asked != "auto":
        return asked, "as asked"
    if device.precision != "bf16":
        return "f32", device.reason
    path = cache_folder() / "precision" / fingerprint.of_parts(name, _machine())
    if known := _read(path):
        return known, "as timed before"
    seconds = {precision: _timed(tail, sample, device.kind, precision) for precision in ("f32", "bf16")}
    found = min(seconds, key=lambda precision: seconds[precision])
    with contextlib.suppress(OSError):
        put(path, found.encode())
    return found, f"a step takes {seconds['bf16'] / seconds['f32']:.2f} times as long in bf16 as in f32"


def autocast(precision: str, kind: str) -> Callable[[], Any]:
    """What the forward pass of a training step runs under."""
    import torch

    if precision == "f32":
        return contextlib.nullcontext
    return lambda: torch.autocast(kind, dtype=torch.bfloat16)


def _read(path: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError):
        text = path.read_text()
        return text if text in ("f32", "bf16") else None
    return None


def _machine() -> list[str]:
    import platform

    import torch

    return [torch.__version__, platform.processor(), platform.machine(), str(torch.get_num_threads())]


def _timed(tail: Tail, sample: Tensor, kind: str, precision: str) -> float:
    """Seconds of the quickest of some steps, after one to warm up; the weights do not change."""
    import torch

    best = float("inf")
    for _ in range(_STEPS + 1):
        start = time.perf_counter()
        with autocast(precision, kind)():
            loss = tail.module(sample).float().square().mean()
        loss.backward()
        if kind == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    for parameter in tail.parameters.values():
        parameter.grad = None
    return best
