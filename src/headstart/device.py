"""The machine at hand: where to compute, in which precision, on how many threads, each with its reason.

Importing this module imports neither torch nor OpenVINO; they are asked only when a function needs them.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from headstart.errors import OptionError

_PROBE_BYTES = 32 << 20
_WORTHWHILE = 1.5
FULL = "f32"
"""The precision of every prediction, so that a model predicts the same whatever it runs on."""
EXACT = "exact"
"""Full precision of activations beside int8 weights too, which OpenVINO else rounds to eight bits; at about half the
speed (docs/evidence/text.md). What an export is compared with."""


@dataclass(frozen=True)
class Device:
    """Where a pass runs: `kind` is `cpu`, `cuda` or `mps`; `precision` is `f32`, `bf16`, `f16` or `exact`."""

    kind: str
    precision: str
    reason: str


def threads() -> int:
    """Processors this process may use: its affinity, cut by a container's CPU quota and by OMP_NUM_THREADS."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [count, _cgroup_processors(), _positive_int(os.environ.get("OMP_NUM_THREADS"))]
    return max(1, min(limit for limit in limits if limit))


def _cgroup_processors() -> int | None:
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return None if quota == "max" else max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return None


def _positive_int(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and int(text) > 0 else None


def choose_device(name: str = "auto", *, precision: str | None = None) -> Device:
    """Choose the device: `auto` takes CUDA or MPS where torch is installed and sees one, else the CPU.

    precision: `f32` or `bf16`; None for the quickest that the device has. Raises `OptionError` for an unknown word, for
    an accelerator that is not there, and for bfloat16 where the device cannot compute in it.
    """
    device = _quickest(name)
    if precision is None or precision == device.precision:
        return device
    if precision != FULL:
        raise OptionError(
            f"precision {precision!r} was asked for, and this device computes in {device.precision} ({device.reason}): "
            f"leave it out, which predicts in {FULL}."
        )
    return replace(device, precision=FULL, reason="full precision, which gives the same predictions on every machine")


def _quickest(name: str) -> Device:
    if name not in ("auto", "cpu", "cuda", "mps"):
        raise OptionError(f"device must be one of 'auto', 'cpu', 'cuda', 'mps'; found {name!r}.")
    if name != "cpu":
        accelerator = _accelerator()
        if accelerator and name in ("auto", accelerator.kind):
            return accelerator
        if name != "auto":
            raise OptionError(
                f"device {name!r} was asked for, but torch is not installed or sees no such device here: "
                "use --device cpu, or install headstart[finetune] with a torch build for it."
            )
    precision, reason = _cpu_precision()
    return Device("cpu", precision, reason)


def _accelerator() -> Device | None:
    if "torch" not in sys.modules and not (_has_driver() and installed("torch")):
        return None
    if not installed("headstart.embed.torch_engine"):  # headstart-runtime predicts on the CPU
        return None
    import torch

    if torch.cuda.is_available():
        precision = "bf16" if torch.cuda.is_bf16_supported() else "f16"
        return Device("cuda", precision, f"torch sees {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Device("mps", "f16", "torch sees Apple's Metal")
    return None


def _has_driver() -> bool:
    """Whether torch could see an accelerator at all: importing it only to learn that it could not takes seconds."""
    if sys.platform != "linux":
        return True
    return any(os.path.exists(f"/dev/{name}") for name in ("nvidiactl", "nvidia0", "nvhost-ctrl", "dxg", "kfd"))


def installed(module: str) -> bool:
    """Whether a package can be imported; a mere folder of its name in the working folder does not count."""
    from importlib.util import find_spec

    spec = find_spec(module)
    return spec is not None and spec.origin is not None


@functools.cache
def _cpu_precision() -> tuple[str, str]:
    if not installed("openvino"):
        return "f32", "OpenVINO is not installed, which alone computes in bfloat16 on a processor"
    import openvino

    abilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" in abilities:
        return "bf16", "this processor multiplies in bfloat16"
    return "f32", "this processor has no bfloat16 arithmetic"


@functools.cache
def keep_freed_memory() -> str:
    """Tell glibc to keep freed memory, where a quick measurement says that fresh pages are dear; return the reason.

    On some virtual machines touching a page that the kernel has just handed out costs more than computing on it.
    Linux with glibc only; once per process; anything else is left as it is.
    It is a trait of the machine like its threads, and torch's passes ask for it in three rooms (embedding, fine-tuning,
    timing); heads and OpenVINO gain nothing by it (docs/evidence/speed.md).
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "left alone: not Linux with glibc"
    ratio = _fresh_page_cost()
    if ratio < _WORTHWHILE:
        return f"left alone: fresh memory costs {ratio:.1f}x of reused memory"
    libc = ctypes.CDLL("libc.so.6")
    trim, pad, mmap_threshold, mmap_max = -1, -2, -3, -4
    for option, value in (
        (trim, 2**31 - 4097),
        (mmap_threshold, 2**31 - 4097),
        (mmap_max, 0),
        (pad, 64 << 20),
    ):
        libc.mallopt(option, value)
    return f"kept: fresh memory costs {ratio:.1f}x of reused memory"


def _fresh_page_cost() -> float:
    """Time to fill a newly mapped buffer over the time to fill it again."""
    buffer = np.empty(_PROBE_BYTES, dtype=np.uint8)
    times = []
    for value in (1, 2):
        start = time.perf_counter()
        buffer.fill(value)
        times.append(time.perf_counter() - start)
    return times[0] / max(times[1], 1e-9)
