"""Array types, and the check that a record keeps its invariants."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError

Ints: TypeAlias = NDArray[np.int64]

Floats: TypeAlias = NDArray[np.float32]


def require(holds: bool, guarantee: str) -> None:
    if not holds:
        raise InternalError(f"a record was built that breaks its guarantee: {guarantee}.")
