"""Which precision a training step runs in, by two timed steps of float32 and of bfloat16 on this machine.

bfloat16 helps networks of dense convolutions and hurts depthwise ones on CPUs, so it is timed, not assumed. The choice
is kept, because a second run with the same seed must give the same result. Needs torch.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import PRECISION, cache_folder

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.device import Device
    from headstart.finetune.tail import Tail

_STEPS, _UNCOUNTED = 2, 2
_LIMIT = 1 << 20
"""Bytes of choices: some ten thousand."""


def choose_precision(tail: Tail, sample: Tensor, device: Device, option: str, name: str) -> tuple[str, str]:
    """`f32` or `bf16` for training this tail, and the reason.

    sample: a batch of activations. option: auto, f32 or bf16. name: what the choice is kept under.
    """
    if option != "auto":
        return option, "as asked"
    if device.precision != "bf16":
        return "f32", device.reason
    cache, key = FileCache(cache_folder(PRECISION), limit=_LIMIT), fingerprint.hash_parts(name, _machine())
    if choice := cache.get(key):
        return choice.decode(), "as timed before"
    seconds = _time_steps(tail, sample, device.kind)
    quicker = min(seconds, key=lambda precision: seconds[precision])
    cache.put(key, quicker.encode())
    return quicker, f"a step takes {seconds['bf16'] / seconds['f32']:.2f} times as long in bf16 as in f32"


def autocast(precision: str, kind: str) -> Callable[[], Any]:
    """What the forward pass of a training step runs under."""
    import torch

    if precision == "f32":
        return contextlib.nullcontext
    return lambda: torch.autocast(kind, dtype=torch.bfloat16)


def _machine() -> list[str]:
    import platform

    import torch

    return [torch.__version__, platform.processor(), platform.machine(), str(torch.get_num_threads())]


def _time_steps(tail: Tail, sample: Tensor, kind: str) -> dict[str, float]:
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
