"""Reads weights out of a backbone's graph by name, without torch: the original head, a norm's statistics.

Takes a `Backbone`, returns float32 arrays as they were published. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.checks import join_words
from headstart.errors import BackboneError

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.records.arrays import Floats


def read_weights(backbone: Backbone, names: Sequence[str]) -> tuple[Floats, ...]:
    """The graph's constants of these names; raises `BackboneError` where one is not there.

    >>> from headstart.backbones.opening import open_backbone
    >>> [array.shape for array in read_weights(open_backbone("lite0"), ["classifier.weight", "classifier.bias"])]
    [(1000, 1280), (1000,)]
    """
    import openvino

    model = openvino.Core().read_model(backbone.graph)
    constants = {op.get_friendly_name(): op for op in model.get_ops() if op.get_type_name() == "Constant"}
    if missing := [name for name in names if name not in constants]:
        raise BackboneError(f"the graph of {backbone.name} has no weights called {join_words(missing)}: name another.")
    return tuple(constants[name].data.astype(np.float32) for name in names)
