"""The contract of a strategy: one way of transferring that takes part in the comparison.

Heads on frozen features and fine-tunes are strategies alike: what is asked of one is what it is about, its out-of-fold
scores on some rows, and to be fitted to all of them with one of its configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from headstart.embed.features import Part
from headstart.heads.base import PathScores
from headstart.heads.forms.linear import Form
from headstart.records.arrays import Floats
from headstart.records.rows import Rows


@dataclass(frozen=True)
class ExpectedGain:
    """What is expected of a strategy that is scored fold by fold, before it has been tried on these data.

    gain: over frozen features, as a share of the errors that these leave. depth: share of the network that trains, 0 to
    1; strategies of like depth are expected to do alike. asked: whether the user named it: it is begun then, however
    little is expected of it.
    """

    gain: float
    depth: float
    asked: bool = False


@dataclass(frozen=True)
class About:
    """What is known of a strategy before it is tried.

    name: of the head or the fine-tune. features: what it looks at, in words. cost: per image at prediction time, mostly
    its backbones' forward passes; only ratios matter. backbones: their names. prior: the gain, as a share, that other
    data sets led one to expect of it; it decides ties alone. seconds: modelled, of scoring it on all folds at once, or,
    where gain is expected of it, of one fold. expected: None for what is scored on all folds at once. baseline: whether
    it is only measured for comparison, and can never win.
    """

    name: str
    features: str
    cost: float
    backbones: tuple[str, ...] = ()
    prior: float = 0.0
    seconds: float = 0.0
    expected: ExpectedGain | None = None
    baseline: bool = False

    @property
    def title(self) -> str:
        """Name and features in one phrase."""
        return f"{self.name} on {self.features}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted strategy: what a saved model needs of it.

    parts: where the head's input comes from. form: the head. X: (n, d) what it looked at; None for a fine-tuned
    network, whose view of the rows that it was trained on says little of new ones. notes: for the user. head: its name,
    where the configuration decides it; empty for the strategy's own.
    """

    parts: tuple[Part, ...]
    form: Form
    X: Floats | None
    notes: tuple[str, ...] = ()
    head: str = ""


class Strategy(Protocol):
    """A way of transferring."""

    @property
    def about(self) -> About:
        """What is known of it before it is tried."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of its scoring."""

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores of each of its configurations; rows whose fold is -1 are only trained on."""

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """Train on all rows with one configuration."""


@dataclass(frozen=True)
class LeftOut:
    """A strategy that did not take part, and why."""

    name: str
    features: str
    reason: str
