"""Real sets of photographs, where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.data.images.spec import ImageSpec
from headstart.data.sources.load import load_dataset
from headstart.data.splits import assign_folds

SETS = Path(os.environ.get("HEADSTART_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")

pytestmark = pytest.mark.skipif(
    not (SETS / "rice_leaf").is_dir(), reason="the shared sets of photographs are not on this machine"
)


def test_exact_copies_among_rice_leaves_stay_together_in_the_folds() -> None:
    kept, found = resolve_duplicates(load_dataset(SETS / "rice_leaf").samples)
    assert kept.classes == ("bacterial_blight", "blast", "brownspot")
    assert (len(kept), found.dropped, found.duplicates.redundant) == (552, 0, 43)
    dealt = assign_folds(kept.labels, kept.groups, count=5, repeats=2)
    content = np.array(kept.content)
    for fold in dealt:
        assert len(set(zip(content.tolist(), fold.tolist(), strict=True))) == len(set(kept.content))
        assert np.bincount(fold).tolist() == pytest.approx([110] * 5, abs=3)


def test_every_photograph_of_a_set_is_decoded() -> None:
    spec = ImageSpec(size=224, resize=256, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
    samples = load_dataset(SETS / "pacs" / "photo").samples
    assert samples.counts() == dict.fromkeys(("dog", "elephant", "giraffe", "guitar", "horse", "house", "person"), 100)
    assert {spec.load(image).shape for image in samples.items[::10]} == {(224, 224, 3)}
