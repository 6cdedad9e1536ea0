"""What belongs together stays in one fold, and what crosses a split is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.data.sources.annotations.load import load_annotated
from headstart.demo.field import write_fields
from headstart.errors import DataError, OptionError
from headstart.pipeline.spatial.fit import assign_image_folds
from headstart.pipeline.spatial.groups import crossing_note, groups_by_rule, hold_groups
from headstart.records.samples import Samples

PAIRS = r"name:field_00(\d)"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Twelve fields, of which the last two share their first digit; the first three are the test split."""
    return load_annotated(write_fields(tmp_path_factory.mktemp("fields") / "data", images=12), task="boxes").samples


def test_a_rule_of_the_users_makes_groups_that_stay_in_one_fold(samples: Samples) -> None:
    held, notes = hold_groups(samples, PAIRS, cache=False)
    assert held.groups is not None
    assert len(np.unique(held.groups)) == 2
    assert notes[0] == f"12 images are 2 groups by {PAIRS}; each stays in one fold."
    folds = assign_image_folds(held.target.strata(), held.groups, 2, 0)
    assert all(len(np.unique(folds[held.groups == group])) == 1 for group in np.unique(held.groups))


def test_without_a_rule_nothing_is_held(samples: Samples) -> None:
    assert hold_groups(samples, "none") == (samples, ())


def test_fields_are_no_drives(samples: Samples) -> None:
    assert groups_by_rule(samples, "auto", cache=False) is None


def test_a_group_on_both_sides_of_the_split_is_named(samples: Samples) -> None:
    assert samples.splits is not None
    (note,) = crossing_note(samples, np.zeros(len(samples), np.int64))
    held = int((samples.splits == "test").sum())
    assert note.startswith(f"1 group of images lies on both sides of the split: {held} of {held} images kept apart, ")
    assert crossing_note(replace(samples, splits=None), np.zeros(len(samples), np.int64)) == ()


def test_a_rule_that_tells_nothing_is_refused(samples: Samples) -> None:
    with pytest.raises(DataError, match="name:zebra"):
        groups_by_rule(samples, r"name:zebra(\d)", cache=False)
    with pytest.raises(OptionError, match="group_by"):
        groups_by_rule(samples, "moon", cache=False)


def test_images_of_a_folder_are_one_group(samples: Samples, tmp_path: Path) -> None:
    assert len(np.unique(groups_by_rule(samples, "folder", cache=False))) == 1  # type: ignore[arg-type]
