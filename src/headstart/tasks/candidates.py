"""Which ways of transferring take part in the comparison: heads on the last layer, and heads on several layers.

Every head is tried on the default backbone's embedding. The strongest two, logistic and ridge, are also tried on
several layers (the last five taps, signed square root) of one backbone and of all of them together: for images unlike
ImageNet's the last layer is too specific. A head whose modelled cost is above the allowance is left out, and said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.backbones.graph import Backbone
from headstart.checks import listed, one_of
from headstart.choose.race import Candidate
from headstart.heads.catalog import HEADS, make
from headstart.records import Embeddings, Floats
from headstart.runtime import Part

MULTI_LAYER = ("multi-probe", "multi-ridge")
LAYERS = 5
ALLOWANCE = 20.0
"""Modelled seconds that one candidate may take before it is left out."""


@dataclass(frozen=True)
class Plan:
    """A candidate with what is needed to build it again: the head's name and the parts of its input."""

    candidate: Candidate
    head: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Skipped:
    """A candidate that did not take part, and why."""

    name: str
    features: str
    reason: str


def names() -> tuple[str, ...]:
    """The heads that can be asked for."""
    return (*HEADS, *MULTI_LAYER)
