"""Which precision a training step runs in: what two timed steps of each say on this machine.

bfloat16 helps networks of dense convolutions and hurts depthwise ones on CPUs, so it is timed, not assumed. The answer
is kept, because a second run with the same seed must give the same result. Needs torch.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.device import Device
    from headstart.finetune.tail import Tail

_STEPS, _UNCOUNTED = 2, 2


def choose_precision(tail: Tail, sample: Tensor, device: Device, asked: str, name: str) -> tuple[str, str]:
    """`f32` or `bf16` for training this tail, and the reason.

    sample: a batch as the feed gives it. asked: auto, f32 or bf16. name: what the decision is kept under.
    """
    if asked != "auto":
        return asked, "as asked"
    if device.precision != "bf16":
        return "f32", device.reason
    path = cache_folder() / "precision" / fingerprint.hash_parts(name, _machine())
    if known := _read(path):
        return known, "as timed before"
    seconds = _timed(tail, sample, device.kind)
    found = min(seconds, key=lambda precision: seconds[precision])
    with contextlib.suppress(OSError):
        write_atomically(path, found.encode())
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


def _timed(tail: Tail, sample: Tensor, kind: str) -> dict[str, float]:
    """Seconds of the quicker of two steps in each precision; the weights do not change.

    The precisions take turns, and the first two turns do not count: while memory is taken for the first time, a step
    can last many times as long as later, and the precision that came first would pay for it alone.
    """
    best = dict.fromkeys(("f32", "bf16"), math.inf)
    for turn in range(_UNCOUNTED + _STEPS):
        for precision in best:
            seconds = _step(tail, sample, kind, precision)
            if turn >= _UNCOUNTED:
                best[precision] = min(best[precision], seconds)
    for parameter in tail.parameters.values():
        parameter.grad = None
    return best


def _step(tail: Tail, sample: Tensor, kind: str, precision: str) -> float:
    """Seconds of one step forward and back."""
    import torch

    start = time.perf_counter()
    with autocast(precision, kind)():
        loss = tail.module(sample).float().square().mean()
    loss.backward()
    if kind == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
