"""What runs a backbone's graph: the contract of an engine, and the choice of one for a device.

An engine takes decoded images and gives the pooled activations of every tap, side by side. It neither decodes nor
caches. OpenVINO runs on CPUs; torch runs on accelerators, and on CPUs where OpenVINO is not installed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats


class Engine(ABC):
    """A backbone ready to run.

    batch: how many images one call takes. requests: how many calls may run at the same time with profit.
    """

    batch: int
    requests: int

    @abstractmethod
    def run(self, images: NDArray[np.uint8], count: int) -> Floats:
        """Pooled activations of the first `count` images of a full buffer, one row each: (count, width of all taps).

        images: (batch, size, size, 3), C-contiguous; what lies behind the first `count` changes nothing.
        An image's row does not depend on the other images. Safe to call from several threads.
        """
