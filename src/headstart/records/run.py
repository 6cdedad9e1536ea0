"""What every command that embeds takes: seed, device, cache, the share of unreadable images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """How a measurement runs. exclude: a plan to follow. max_unreadable: a share of 1."""

    exclude: str | None
    max_unreadable: float
    seed: int
    device: str
    cache: bool
