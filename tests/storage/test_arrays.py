"""Saved arrays come back as they were declared, or are refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import BundleError
from headstart.storage.arrays import check_arrays, check_numbers, dump_arrays, load_arrays, read_arrays, read_facts

LAYOUT = {"weight": ("f4", "dK"), "bias": ("f4", "K"), "axes": ("f2", "dr"), "k": ("i8", "")}
WHOLE: dict[str, Any] = {
    "weight": np.ones((4, 2), np.float32),
    "bias": np.zeros(2, np.float32),
    "axes": np.zeros((4, 0), np.float16),
    "k": np.array(5),
}


def test_whole_arrays_come_back_contiguous_and_equal() -> None:
    turned = {**WHOLE, "weight": np.arange(8, dtype=np.float32).reshape(2, 4).T}
    checked = check_arrays("thing", turned, LAYOUT)
    assert list(checked) == list(LAYOUT)
    assert all(array.flags.c_contiguous and np.array_equal(array, turned[name]) for name, array in checked.items())
    assert checked["k"].shape == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": np.zeros((4, 2))}, "the array 'weight' holds float64 numbers, not float32"),
        ({"weight": [[0.0]]}, "the array 'weight' holds list numbers, not float32"),
        ({"weight": np.zeros(4, np.float32)}, "the array 'weight' has 1 axes where 2 were expected"),
        ({"bias": np.zeros(3, np.float32)}, "the array 'bias' has an axis of length 3 where 2 was expected"),
        ({"weight": np.zeros((4, 1), np.float32)}, "the array 'weight' has an axis of length 1;"),
        ({"weight": np.zeros((0, 2), np.float32)}, "the array 'weight' has an axis of length 0;"),
        ({"bias": np.array([0, np.inf], np.float32)}, "the array 'bias' holds numbers that are not finite"),
        ({"more": np.zeros(1)}, "it must hold axes, bias, k, weight, and holds axes, bias, k, more, weight;"),
        ({1: np.zeros(1)}, "and holds 1, axes, bias, k, weight;"),
    ],
)
def test_what_is_wrong_is_named(change: dict[Any, Any], message: str) -> None:
    with pytest.raises(BundleError, match=f"^the saved thing cannot be used: .*{message}"):
        check_arrays("thing", {**WHOLE, **change}, LAYOUT)


def test_no_arrays_at_all_are_refused() -> None:
    with pytest.raises(
        BundleError, match="and holds none; the file is damaged or not a Headstart model's: copy or tra"
    ):
        check_arrays("thing", {}, LAYOUT)


def test_several_kinds_of_number_may_be_allowed() -> None:
    half = np.ones(3, np.float16)
    assert check_numbers("thing", "x", half, "f2", "f4") is half
    with pytest.raises(BundleError, match="'x' holds bool numbers, not float16 or float32"):
        check_numbers("thing", "x", half > 0, "f2", "f4")


def test_arrays_and_facts_survive_a_file(tmp_path: Path) -> None:
    content = dump_arrays(WHOLE, {"phase": "2"})
    assert content == dump_arrays(dict(reversed(WHOLE.items())), {"phase": "2"})
    assert read_facts(content) == {"phase": "2"}
    assert read_facts(dump_arrays(WHOLE)) == {}
    (tmp_path / "a.safetensors").write_bytes(content)
    for arrays in (load_arrays("thing", content), read_arrays(tmp_path / "a.safetensors")):
        assert {name: array.dtype for name, array in arrays.items()} == {n: a.dtype for n, a in WHOLE.items()}
        assert all(np.array_equal(array, WHOLE[name]) for name, array in arrays.items())


@given(st.binary(max_size=100), st.integers(0, 300))
def test_content_of_any_bytes_is_read_or_refused(middle: bytes, place: int) -> None:
    whole = dump_arrays(WHOLE)
    content = whole[:place] + middle + whole[place + len(middle) :]
    try:
        arrays = load_arrays("thing", content)
    except BundleError:  # any other error is a fault
        arrays = {}
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_file_that_is_absent_or_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(dump_arrays(WHOLE)[:-1])
    for name in ("a", "b"):
        with pytest.raises(BundleError, match=rf"{name}\.safetensors is damaged .*: copy or train the model again"):
            read_arrays(tmp_path / f"{name}.safetensors")
