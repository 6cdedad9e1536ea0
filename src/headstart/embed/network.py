"""The contract of a network, which runs some outputs of a graph on a CPU, whatever their shapes.

Engines are built on it: they know what goes in and what comes out means; a network only computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


class Network(ABC):
    """A graph ready to run. requests: how many calls may run at the same time with profit."""

    requests: int

    @abstractmethod
    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Arrays by input name → the outputs, in the order they were asked for. Safe to call from several threads."""


def last_line(error: Exception) -> str:
    """What a runtime's error says in the end, for a sentence in brackets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
