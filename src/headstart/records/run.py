"""How a measurement runs: seed, device, cache and the share of unreadable images, built once and handed on whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart import checks

if TYPE_CHECKING:
    from headstart.device import Device

MOST_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a measurement runs, checked when it is built.

    seed: of everything that is drawn, 0 to 2**32 - 1. device: auto, cpu, cuda or mps, or a `Device` with its precision.
    cache: keep thumbnails, embeddings and scores for the next run. max_unreadable: the share of unreadable images (0.05
    or "5%") above which it stops. Raises `OptionError` for a number out of its range.
    """

    seed: int = 0
    device: str | Device = "auto"
    cache: bool = True
    max_unreadable: float = 0.05

    def __post_init__(self) -> None:
        checks.between("seed", self.seed, 0, MOST_SEED)
        object.__setattr__(self, "max_unreadable", checks.share("max_unreadable", self.max_unreadable))

    def choose_device(self) -> Device:
        """The device that `device` stands for here; raises `OptionError` where there is none of that name."""
        from headstart.device import choose_device

        return choose_device(self.device) if isinstance(self.device, str) else self.device
