"""The precision is the one whose steps are quicker once memory is warm; the choice is kept."""

from pathlib import Path
from typing import Any

import pytest
import torch

from headstart.device import Device
from headstart.finetune import precision
from headstart.finetune.tail import Tail

CPU = Device("cpu", "bf16", "this processor multiplies in bfloat16")


@pytest.fixture
def tail() -> Tail:
    layer = torch.nn.Linear(4, 2)
    return Tail(layer, dict(layer.named_parameters()), {}, {})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))


def steps(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, list[float]]) -> list[str]:
    """Let steps last as listed, and note the precision of each."""
    timed: list[str] = []

    def step(tail: Tail, sample: Any, kind: str, name: str) -> float:
        timed.append(name)
        return seconds[name].pop(0)

    monkeypatch.setattr(precision, "_step", step)
    return timed


def test_steps_in_cold_memory_do_not_count(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = steps(monkeypatch, {"f32": [12.0, 2.8, 1.8, 1.6], "bf16": [1.0, 1.0, 3.2, 3.2]})
    chosen, reason = precision.choose_precision(tail, torch.zeros(3, 4), CPU, "auto", "a tail")
    assert (chosen, reason) == ("f32", "a step takes 2.00 times as long in bf16 as in f32")
    assert timed == ["f32", "bf16"] * 4


def test_the_choice_is_kept(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(monkeypatch, {"f32": [2.0] * 4, "bf16": [1.0] * 4})
    assert precision.choose_precision(tail, torch.zeros(3, 4), CPU, "auto", "a tail")[0] == "bf16"
    assert precision.choose_precision(tail, torch.zeros(3, 4), CPU, "auto", "a tail") == ("bf16", "as timed before")


def test_a_real_step_leaves_weights_and_gradients_as_they_were(tail: Tail) -> None:
    before = tail.state()
    chosen, _ = precision.choose_precision(tail, torch.ones(3, 4), CPU, "auto", "a tail")
    assert chosen in ("f32", "bf16")
    assert all(torch.equal(before[name], value) for name, value in tail.state().items())
    assert all(parameter.grad is None for parameter in tail.parameters.values())


def test_what_is_asked_or_cannot_be_is_not_timed(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = steps(monkeypatch, {})
    assert precision.choose_precision(tail, torch.ones(3, 4), CPU, "bf16", "a tail") == ("bf16", "as asked")
    old = Device("cpu", "f32", "this processor has no bfloat16 arithmetic")
    assert precision.choose_precision(tail, torch.ones(3, 4), old, "auto", "a tail") == ("f32", old.reason)
    assert timed == []
