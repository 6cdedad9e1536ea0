"""Embedding knows nothing of images but their `InputSpec`: another kind of data stands in by bringing its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from headstart import fingerprint
from headstart.backbones.graph import Backbone, Tap
from headstart.data.spec import InputSpec
from headstart.device import Device
from headstart.embed import batching, extract, timing
from headstart.embed.engine import Engine
from headstart.embed.extract import embed
from headstart.errors import UnreadableImage
from headstart.records.arrays import Floats
from headstart.storage.row_cache import RowCache


@dataclass(frozen=True)
class VectorSpec:
    """An item is a line of numbers, such as '1 2 3'; the network takes them as float64."""

    length: int

    def load(self, item: str) -> np.ndarray:
        try:
            return np.array([float(word) for word in item.split()])
        except ValueError as error:
            raise UnreadableImage(f"it is not a line of numbers ({error})") from error

    def buffer(self, count: int) -> np.ndarray:
        return np.zeros((count, self.length))

    def fingerprint(self) -> str:
        return fingerprint.hash_parts("vector", self.length)

    def to_dict(self) -> dict[str, int]:
        return {"length": self.length}


class Sums(Engine):
    """Gives each vector's sum and its largest number, and counts the vectors."""

    batch, requests = 4, 2

    def __init__(self) -> None:
        self.count = 0

    def run(self, inputs: np.ndarray, count: int) -> Floats:
        assert inputs.shape == (4, 3)
        assert inputs.dtype == np.float64
        self.count += count
        return np.stack([inputs[:count].sum(axis=1), inputs[:count].max(axis=1)], axis=1).astype(np.float32)


ITEMS = ("1 2 3", "4 5 6", "one two three", "7 8 9", "1 2 3", "0.5 0.25 0")
SPEC: InputSpec = VectorSpec(3)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Sums:
    sums = Sums()
    for module in (extract, timing):
        monkeypatch.setattr(module, "open_engine", lambda backbone, device: sums)
    return sums


@pytest.fixture
def adder(lite0: Backbone) -> Backbone:
    taps = (Tap("sum", 1, 0, "stage"), Tap("largest", 1, 1, "last"))
    return replace(lite0, name="adder", spec=SPEC, taps=taps, weights="none")  # type: ignore[arg-type]


def test_batches_of_another_kind_of_item_run_through_an_engine() -> None:
    batches = list(batching.run_batches(lambda i: SPEC.load(ITEMS[i]), range(len(ITEMS)), SPEC, Sums()))
    rows = {i: row.tolist() for b in batches for i, row in zip(b.positions, b.rows, strict=True)}
    assert rows == {0: [6, 3], 1: [15, 6], 3: [24, 9], 4: [6, 3], 5: [0.75, 0.5]}
    assert [pair for b in batches for pair in b.unreadable] == [
        (2, "it is not a line of numbers (could not convert string to float: 'one')")
    ]


def test_another_kind_of_item_is_embedded_once_and_cached(
    engine: Sums, adder: Backbone, cpu: Device, tmp_path: Path
) -> None:
    def embedded(items: Sequence[str]) -> list[list[float]]:
        cache = RowCache(tmp_path / "rows.sqlite")
        content = [fingerprint.hash_bytes(item.encode()) for item in items]
        result = embed(items, adder, content=content, names=items, device=cpu, cache=cache)  # type: ignore[arg-type]
        assert [failure.name for failure in result.failures] == [ITEMS[2]]
        assert result.rows.tolist() == [0, 1, 3, 4, 5]
        assert result.taps["sum"].ravel().tolist() == [6, 15, 24, 6, 0.75]
        return result.last.tolist()

    assert embedded(ITEMS) == [[3], [6], [9], [3], [0.5]]
    assert engine.count == 4
    assert embedded(ITEMS) == [[3], [6], [9], [3], [0.5]]
    assert engine.count == 4


def test_another_kind_of_item_can_be_timed(engine: Sums, adder: Backbone, cpu: Device) -> None:
    seconds = timing.seconds_per_image(ITEMS[3:], adder, cpu, enough=0)  # type: ignore[arg-type]
    assert seconds > 0
    assert engine.count == 2
