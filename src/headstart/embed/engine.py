"""The contract of an engine, which runs a backbone's graph.

An engine takes loaded inputs (see `data.spec.InputSpec`) and gives the pooled activations of every tap, side by side.
It neither loads nor caches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from headstart.records.arrays import Floats


class Engine(ABC):
    """A backbone ready to run.

    batch: how many inputs one call takes. requests: how many calls may run at the same time with profit.
    """

    batch: int
    requests: int

    @abstractmethod
    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """Pooled activations of the first `count` inputs of a full buffer, one row each: (count, width of all taps).

        inputs: (batch, ...) as the spec's `buffer` makes them, C-contiguous; what lies behind the first `count` changes
        nothing. An input's row does not depend on the other inputs. Safe to call from several threads.
        """
