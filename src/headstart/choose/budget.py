"""The one dial: how long a run may take, counted from when it began.

`parse_seconds` reads what a person writes (`30s`, `5m`, `1h`); a `Budget` says what is left of it. It stops nothing
itself.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field

from headstart.checks import at_least
from headstart.choose.scoring import Clock
from headstart.errors import OptionError

DEFAULT = 300.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")


def parse_seconds(text: str) -> float:
    """The seconds that a text such as `90s`, `5m`, `1.5h` or `none` (no limit) stands for.

    Raises `OptionError` for anything else.

    >>> parse_seconds("30s"), parse_seconds("5m"), parse_seconds("1.5h"), parse_seconds("none")
    (30.0, 300.0, 5400.0, inf)
    """
    if text.strip().lower() == "none":
        return math.inf
    match = _WRITTEN.fullmatch(text.strip().lower())
    if match is None or not float(match[1]) > 0:
        raise OptionError(
            f"budget is a time such as 30s, 5m or 1h, or 'none' for no limit; found {text!r}: write a number above 0 "
            "and s, m or h behind it."
        )
    return float(match[1]) * _UNITS[match[2]]


def seconds_of(budget: float | str | None) -> float | None:
    """A budget as seconds: a number of them, or a text such as "30s"; None as it is.

    >>> seconds_of("1m"), seconds_of(90), seconds_of(None)
    (60.0, 90.0, None)
    """
    if budget is None:
        return None
    if isinstance(budget, str):
        return parse_seconds(budget)
    at_least("budget", budget, 0)
    if not budget > 0:
        raise OptionError(f"budget must be seconds above 0, or a time such as '30s' or '5m'; found {budget!r}.")
    return float(budget)


def format_seconds(budget: float) -> str:
    """A budget as a person writes it.

    >>> format_seconds(300.0), format_seconds(45.0), format_seconds(5400.0), format_seconds(math.inf)
    ('5m', '45s', '1.5h', 'none')
    """
    if math.isinf(budget):
        return "none"
    unit = "h" if budget >= _UNITS["h"] else "m" if budget >= _UNITS["m"] and budget % 60 == 0 else "s"
    return f"{budget / _UNITS[unit]:g}{unit}"


@dataclass(eq=False)
class Budget:
    """Seconds that may pass from now on, infinity for no limit."""

    total: float = math.inf
    clock: Clock = time.perf_counter
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return self.clock() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at least."""
        return max(0.0, self.total - self.spent)
