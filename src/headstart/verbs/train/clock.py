"""Notes the seconds that each step of a training took."""

from __future__ import annotations

import time


class Clock:
    """Seconds that each step took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Note the time since the last step's end."""
        now = time.perf_counter()
        self.laps[step], self._last = now - self._last, now
