"""Near copies of real photographs are never parted, in any verb that measures, and the user is told."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import headstart
from headstart.data.duplicates.known import known_duplicates
from headstart.data.duplicates.near import join_groups
from headstart.data.duplicates.resolve import DuplicateGroups
from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.sources.load import load_dataset
from headstart.data.splits import divide
from headstart.errors import DataError
from headstart.metrics.intervals import Estimate
from headstart.model.model import Model
from headstart.pipeline import prepare
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared
from headstart.pipeline.probe import AccuracyClaims
from headstart.records.run import Run
from headstart.verbs.advise.advise import embed_subsample
from headstart.verbs.curve.curve import learning_curve
from headstart.verbs.depth import depth
from headstart.verbs.extend.extend import _keep_with_old, extend
from headstart.verbs.rank import rank
from headstart.verbs.train import copy_claims
from headstart.verbs.train.copy_claims import claim_notes, duplicate_claims

LITE0 = "efficientnet_lite0"
ONE = Options(backbones=(LITE0,), heads=("ridge",), repeats=2)
MIRRORED = Image.Transpose.FLIP_LEFT_RIGHT
QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270, MIRRORED)


def chosen(cell_files: dict[str, list[Path]], name: str) -> list[Path]:
    return cell_files[name][:10]


@pytest.fixture(scope="module")
def doubled(cell_files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photographs of each class, each with a turned or mirrored copy; a broken file; one copy in both classes."""
    root = tmp_path_factory.mktemp("doubled")
    for name in ("functional", "defective"):
        (root / name).mkdir()
        for i, file in enumerate(chosen(cell_files, name)):
            shutil.copy(file, root / name)
            with Image.open(file) as picture:
                picture.transpose(QUARTERS[i % 4]).save(root / name / f"turned-{file.name}")
    with Image.open(cell_files["defective"][0]) as picture:
        picture.transpose(MIRRORED).save(root / "functional" / "other.png")
    (root / "functional" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


@pytest.fixture(scope="module")
def prepared(doubled: Path) -> Prepared:
    return prepare.prepare(load_dataset(doubled), [LITE0], Run(device="cpu", max_unreadable=0.1))


@pytest.fixture(scope="module")
def trained(doubled: Path) -> Model:
    return headstart.train(doubled, options=replace(ONE, max_unreadable=0.1))


def test_a_photograph_and_its_turned_copy_are_in_one_group(prepared: Prepared) -> None:
    row = {name: i for i, name in enumerate(prepared.samples.names)}
    assert len(row) == 41  # the broken file has gone
    assert prepared.samples.groups is not None
    for name, i in row.items():
        if "turned-" in name:
            assert prepared.samples.groups[i] == prepared.samples.groups[row[name.replace("turned-", "")]]
    assert len(np.unique(prepared.samples.groups)) == 41 - prepared.duplicates.redundant < 21


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_no_fold_parts_copies_whatever_the_seed(prepared: Prepared, seed: int, count: int) -> None:
    division = divide(prepared.samples, count=count, repeats=2, seed=seed)
    families = prepared.duplicates.take(division.fit).groups
    for folds in division.folds:
        assert all(len(np.unique(folds[families == family])) == 1 for family in families)


def test_the_copies_and_what_a_split_that_parts_them_claims_are_said_in_one_note(trained: Model) -> None:
    (note,) = [note for note in trained.notes if note.startswith("Duplicates: ")]
    assert note.startswith(
        "Duplicates: 21 of 42 images repeat another one (21 nearly: turned, mirrored, cropped, brightened"
    )
    assert "each stays in one fold with what it repeats. A split that parts them would have claimed " in note
    assert trained.data.claims is not None
    assert note.endswith(f"with duplicates held together it is {trained.data.claims.group_aware}.")
    assert f"would have claimed {trained.data.claims.leaky} accuracy for a linear probe" in note
    assert trained.data.duplicates == 21


def test_a_plan_that_groups_the_copies_leaves_the_claim_of_a_split_that_parts_them(
    trained: Model, doubled: Path, tmp_path: Path
) -> None:
    headstart.audit(doubled).write_plan(tmp_path / "plan.csv")
    options = replace(ONE, max_unreadable=0.1, exclude=str(tmp_path / "plan.csv"))
    found = headstart.train(doubled, options=options)
    assert "Left out by the plan: 1 image." in found.notes
    assert found.data.claims == trained.data.claims
    assert found.failures == ()


def test_labels_that_only_a_copy_can_tell_are_claimed_by_a_split_that_parts_copies_alone(
    cell_files: dict[str, list[Path]],
) -> None:
    images, labels = [], []
    for i, file in enumerate(cell_files["functional"][:16]):
        with Image.open(file) as picture:
            images += [np.asarray(picture), *(np.asarray(picture.transpose(turn)) for turn in QUARTERS)]
        labels += ["even" if i % 2 else "odd"] * 5
    loaded = load_dataset(images, labels=labels)
    found = prepare.prepare(loaded, [LITE0], Run(device="cpu", cache=False, max_unreadable=0))
    both = duplicate_claims(found, np.arange(80), cache=False)
    assert both is not None
    assert both.leaky.value > 0.65
    assert both.group_aware.value < 0.5


def test_near_copies_in_two_classes_are_kept_and_the_note_points_to_the_audit(
    trained: Model, cell_files: dict[str, list[Path]]
) -> None:
    (note,) = [note for note in trained.notes if note.startswith("Labels to look at: ")]
    first = cell_files["defective"][0].name
    assert note.startswith("Labels to look at: 1 group of near duplicates lies in more than one class: ")
    assert f"defective/{first} (defective)" in note
    assert "functional/other.png (functional)" in note
    assert note.endswith(
        "They were kept; 'headstart audit' shows them, and 'headstart train --exclude' leaves out what you decide."
    )
    assert trained.data.counts == {"defective": 20, "functional": 21}


def test_a_bundle_keeps_the_groups(trained: Model) -> None:
    assert trained.rows is not None
    assert trained.rows.groups is not None
    assert len(np.unique(trained.rows.groups)) == 41 - 21


@pytest.mark.parametrize(
    "notes",
    [
        lambda data, options: rank(data, options=options).notes,
        lambda data, options: depth(data, options=options).notes,
        lambda data, options: embed_subsample(load_dataset(data), options).notes,
        lambda data, _: learning_curve(data, backbones=(LITE0,), random=False, max_unreadable=0.1).notes,
    ],
    ids=["rank", "depth", "advise", "curve"],
)
def test_every_verb_that_measures_holds_copies_together(
    notes: Callable[[Path, Options], tuple[str, ...]], doubled: Path
) -> None:
    found = notes(doubled, Options(backbones=(LITE0,), repeats=1, max_unreadable=0.1))
    (note,) = [note for note in found if note.startswith("Duplicates")]
    assert note.startswith("Duplicates: 21 of 42 images repeat another one")


def test_a_turned_copy_in_the_test_split_leaves_the_training_split(
    cell_files: dict[str, list[Path]], tmp_path: Path
) -> None:
    for name in ("functional", "defective"):
        for place, files in (("train", cell_files[name][:8]), ("test", cell_files[name][10:14])):
            (tmp_path / place / name).mkdir(parents=True)
            for file in files:
                shutil.copy(file, tmp_path / place / name)
    first = cell_files["defective"][0]
    with Image.open(first) as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "test/defective/turned.png")
    found = headstart.train(tmp_path, options=ONE)
    (note,) = [note for note in found.notes if note.startswith("Left out: ")]
    assert f"train/defective/{first.name} (train) = test/defective/turned.png (test)" in note
    assert found.data.counts["defective"] == 7
    assert found.data.held_out == 9


def test_where_near_copies_leave_nothing_to_train_on_that_is_said(
    cell_files: dict[str, list[Path]], tmp_path: Path
) -> None:
    for name in ("functional", "defective"):
        for file in chosen(cell_files, name)[:3]:
            for place in ("train", "test"):
                (tmp_path / place / name).mkdir(parents=True, exist_ok=True)
                with Image.open(file) as picture:
                    turned = picture.transpose(MIRRORED) if place == "test" else picture.copy()
                    turned.save(tmp_path / place / name / file.name)
    with pytest.raises(
        DataError, match=r"no image is left to train on\. Left out: 6 images with a near duplicate \(turned"
    ):
        headstart.train(tmp_path, options=ONE)


def test_too_many_images_to_compare_are_said(doubled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "MOST_COMPARED", 41)
    duplicates = prepare.find_duplicates(load_dataset(doubled).samples, Run(cache=False))
    (note,) = duplicates.notes
    assert duplicates.near.groups == ()
    assert note.startswith("Near duplicates were not searched among more than 41 images: where there may be some, name")


def test_a_few_copies_or_groups_that_hold_them_anyway_claim_nothing(prepared: Prepared) -> None:
    fit = np.arange(len(prepared.samples))
    alone = DuplicateGroups(fit, None)
    assert duplicate_claims(replace(prepared, duplicates=alone), fit) is None
    named = replace(prepared.duplicates, data_groups=prepared.samples.groups)
    assert duplicate_claims(replace(prepared, duplicates=named), fit) is None


def test_a_claim_that_would_take_too_long_is_measured_on_fewer_families(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_claims, "_SIZES", (30, 20))
    whole = copy_claims._affordable_rows(prepared.duplicates.groups, 1984, 2, 0)
    assert whole.tolist() == list(range(41))
    monkeypatch.setattr(copy_claims, "_SECONDS", copy_claims.HEADS["probe"].seconds(20, 1984, 2, 5) + 1e-9)
    assert len(copy_claims._affordable_rows(prepared.duplicates.groups, 1984, 2, 0)) == 20
    monkeypatch.setattr(copy_claims, "_SECONDS", 0.0)
    assert copy_claims._affordable_rows(prepared.duplicates.groups, 1984, 2, 0).tolist() == []
    assert duplicate_claims(prepared, np.arange(41)) is None


def test_what_was_claimed_is_added_to_the_note_on_copies() -> None:
    both = AccuracyClaims(Estimate(0.9, 0.8, 0.95), Estimate(0.7, 0.6, 0.8))
    assert claim_notes(("a", "Copies."), "Copies.", None) == ("a", "Copies.")
    assert claim_notes(("a", "Copies."), "Copies.", both) == (
        "a",
        "Copies. A split that parts them would have claimed 90.0 % (80.0–95.0) accuracy for a linear probe; with "
        "duplicates held together it is 70.0 % (60.0–80.0).",
    )


def test_a_new_image_that_repeats_an_old_one_goes_into_its_fold(
    trained: Model, cell_files: dict[str, list[Path]], tmp_path: Path
) -> None:
    old = chosen(cell_files, "functional")[4]
    trained.save(tmp_path / "model")
    (tmp_path / "new/functional").mkdir(parents=True)
    for file in cell_files["functional"][20:24]:
        shutil.copy(file, tmp_path / "new/functional")
    with Image.open(old) as picture:
        picture.transpose(Image.Transpose.TRANSVERSE).save(tmp_path / "new/functional/again.png")
    found = extend(tmp_path / "model", tmp_path / "new")
    assert any(
        note.startswith("Duplicates: 1 new image nearly repeats what the model was trained")
        for note in found.model.notes
    )
    rows = found.model.rows
    assert rows is not None
    assert rows.groups is not None
    content = load_dataset(tmp_path / "new").samples.content[0]
    row, first = rows.content.index(content), rows.content.index(load_dataset([old], labels=["x"]).samples.content[0])
    assert rows.groups[row] == rows.groups[first]
    assert rows.folds[:, row].tolist() == rows.folds[:, first].tolist()


def test_known_pictures_are_recognised_by_their_kept_thumbnails(cell_files: dict[str, list[Path]]) -> None:
    old = load_dataset(chosen(cell_files, "defective"), labels=["x"] * 10).samples
    with Image.open(cell_files["defective"][3]) as picture:
        turned = np.asarray(picture.transpose(Image.Transpose.ROTATE_180))
    new = load_dataset([turned, cell_files["functional"][0]], labels=["x", "x"]).samples
    make_thumbnails(old)
    assert known_duplicates(new, old.content).tolist() == [old.content[3], ""]
    assert known_duplicates(new, ["0" * 32]).tolist() == ["", ""]


@given(st.lists(st.integers(0, 4), min_size=4, max_size=20), st.integers(2, 4), st.integers(0, 99))
def test_new_rows_follow_the_old_of_their_group(groups: list[int], old: int, seed: int) -> None:
    numbers = np.array(groups)
    dealt = np.random.default_rng(seed).integers(0, 3, (2, len(groups)))
    labels = np.zeros(len(groups), np.int64)
    dealt[:, 0], dealt[:, 1] = 0, 1
    before = dealt.copy()
    _keep_with_old(dealt, numbers, labels, old, ("cat",))
    assert dealt[:, :old].tolist() == before[:, :old].tolist()
    for row in range(old, len(groups)):
        shared = np.flatnonzero(numbers[:old] == numbers[row])
        wanted = before[:, shared[0]] if len(shared) else before[:, row]
        assert dealt[:, row].tolist() == wanted.tolist()


def test_a_new_class_that_only_repeats_old_images_of_one_fold_is_refused() -> None:
    dealt, groups, labels = np.array([[0, 1, 0, 1]]), np.array([5, 6, 5, 5]), np.array([0, 0, 1, 1])
    with pytest.raises(DataError, match="the images of 'dog' repeat old ones that were measured in one fold"):
        _keep_with_old(dealt, groups, labels, 2, ("cat", "dog"))


def test_numbers_are_joined_by_groups() -> None:
    assert join_groups(np.array([3, 3, 9, 5]), ((0, 3),)).tolist() == [0, 0, 1, 0]
