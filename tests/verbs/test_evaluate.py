"""Scores on labelled images: copies do not narrow the intervals, and what the model was trained on is told."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops

import headstart
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError
from headstart.metrics.class_report import scorecard
from headstart.model import bundle
from headstart.model.evaluation import Evaluation
from headstart.model.predictor import Predictor
from headstart.model.rows import training_content
from headstart.pipeline.options import Options
from headstart.records.samples import Samples
from headstart.verbs.evaluate import evaluate

Picture = NDArray[np.uint8]
ONE = Options(backbones=("lite0",), heads=("ridge",), repeats=1)
NAMES = ("functional", "defective")
LABELS = [name for name in NAMES for _ in range(10)]
COPIES = (
    "(exactly, or turned, mirrored, cropped, brightened or saved anew); the intervals do not take duplicates for indep"
)


def samples_of(images: Sequence[object], labels: Sequence[str]) -> Samples:
    return load_dataset(list(images), labels=list(labels)).samples


def lit(file: Path, seed: int) -> Picture:
    """A photograph under a light of its own, so that no two of them look alike."""
    light = Image.fromarray(np.random.default_rng(seed).integers(60, 256, (5, 5), dtype=np.uint8))
    with Image.open(file) as picture:
        return np.asarray(
            ImageChops.multiply(picture.convert("L"), light.resize(picture.size, Image.Resampling.BICUBIC))
        )


def mirrored(pictures: Sequence[Picture]) -> list[Picture]:
    return [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]


@pytest.fixture(scope="module")
def old(cell_files: dict[str, list[Path]]) -> list[Picture]:
    """Ten pictures of each class to train on."""
    return [lit(file, seed) for seed, file in enumerate(file for name in NAMES for file in cell_files[name][:10])]


@pytest.fixture(scope="module")
def new(cell_files: dict[str, list[Path]]) -> list[Picture]:
    """Ten other pictures of each class."""
    files = (file for name in NAMES for file in cell_files[name][10:20])
    return [lit(file, 100 + seed) for seed, file in enumerate(files)]


@pytest.fixture(scope="module")
def model(old: list[Picture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "model"
    headstart.train(old, labels=LABELS, options=ONE).save(folder)
    return folder


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return headstart.load(model)


def notes_of(found: Evaluation, start: str) -> list[str]:
    return [note for note in found.notes if note.startswith(start)]


def test_turned_copies_are_not_counted_as_independent_images(predictor: Predictor, new: list[Picture]) -> None:
    samples = samples_of([*new, *mirrored(new)], LABELS * 2)
    found = evaluate(predictor, samples)
    (note,) = notes_of(found, "Duplicates: ")
    assert note.startswith(f"Duplicates: 20 of 40 images repeat another one {COPIES}")
    answers = predictor.predict(samples.items).probabilities
    pairs = np.tile(np.arange(20), 2)
    assert found.card.accuracy == scorecard(samples.labels, answers, samples.classes, groups=pairs).accuracy
    assert found.card.accuracy.low < scorecard(samples.labels, answers, samples.classes).accuracy.low


def test_the_same_files_again_make_no_interval_narrower(predictor: Predictor, new: list[Picture]) -> None:
    once = evaluate(predictor, samples_of(new, LABELS))
    thrice = evaluate(predictor, samples_of(new * 3, LABELS * 3))
    assert notes_of(once, "Duplicates") == []
    assert notes_of(thrice, "Duplicates: 40 of 60 images repeat another one")
    assert (once.images, thrice.images) == (20, 60)
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        before, after = (getattr(each.card, metric) for each in (once, thrice))
        assert after.value == pytest.approx(before.value)
        assert after.high - after.low >= before.high - before.low


def test_copies_join_the_groups_that_the_data_name(predictor: Predictor, new: list[Picture]) -> None:
    samples = samples_of([*new, new[0]], [*LABELS, "functional"])
    groups = np.array([*range(20), 5])
    found = evaluate(predictor, replace(samples, groups=groups))
    answers = predictor.predict(samples.items).probabilities
    joined = np.array([0, 1, 2, 3, 4, 0, *range(6, 20), 0])
    wanted = scorecard(samples.labels, answers, samples.classes, groups=joined)
    assert found.card.accuracy == wanted.accuracy
    assert found.card.per_class == wanted.per_class


def test_without_copies_the_groups_stay_as_they_are(predictor: Predictor, new: list[Picture]) -> None:
    samples = samples_of(new, LABELS)
    answers = predictor.predict(samples.items).probabilities
    assert evaluate(predictor, samples, cache=False).card.accuracy == (
        scorecard(samples.labels, answers, samples.classes).accuracy
    )


def test_images_that_the_model_was_trained_on_are_counted(
    model: Path, predictor: Predictor, new: list[Picture], old: list[Picture]
) -> None:
    known = training_content(bundle.read_bundle(model), predictor)
    assert len(known) == 20
    found = evaluate(predictor, samples_of([*new, *old[-3:]], [*LABELS, *["defective"] * 3]), trained_on=known)
    assert found.notes == (
        "The model was trained on 3 of these 23 images, so the scores are too good (headstart info has the score to "
        "expect): evaluate on images that took no part.",
    )
    assert evaluate(predictor, samples_of(new, LABELS), trained_on=known).notes == ()


def test_turned_copies_of_training_images_are_counted_where_training_has_left_thumbnails(
    model: Path, predictor: Predictor, new: list[Picture], old: list[Picture]
) -> None:
    turned = mirrored(old[10:14])
    known = training_content(bundle.read_bundle(model), predictor)
    nearly = "near duplicates (turned, mirrored, cropped, brightened or saved anew) of 4 of these"
    found = evaluate(predictor, samples_of([*new, *turned], [*LABELS, *["defective"] * 4]), trained_on=known)
    assert found.notes[0].startswith(f"The model was trained on {nearly} 24 images, so the scores are too good")
    both = samples_of([*new, *turned, old[9]], [*LABELS, *["defective"] * 4, "functional"])
    assert (
        evaluate(predictor, both, trained_on=known)
        .notes[0]
        .startswith(f"The model was trained on 1 and on {nearly} 25 images")
    )
    alone = evaluate(predictor, both, trained_on=known, cache=False).notes[0]
    assert alone.startswith("The model was trained on 1 of these 25 images")


@pytest.mark.parametrize("kept", [True, False])
def test_scores_on_nothing_but_training_images_say_nothing(
    kept: bool, model: Path, predictor: Predictor, old: list[Picture]
) -> None:
    samples = samples_of(old, LABELS)
    known = training_content(bundle.read_bundle(model), predictor) if kept else frozenset()
    (note,) = evaluate(predictor, samples, trained_on=known).notes
    assert note.startswith("The model was trained on these very images, so the scores say nothing of new ones")
    fewer = evaluate(predictor, samples.take(np.arange(1, 20)), trained_on=known).notes
    assert len(fewer) == kept  # by the fingerprint of all of them, fewer are not recognised


def test_a_bundle_without_training_rows_knows_no_images(old: list[Picture], tmp_path: Path) -> None:
    headstart.train(old, labels=LABELS, options=replace(ONE, keep_training=False)).save(tmp_path / "model")
    assert training_content(bundle.read_bundle(tmp_path / "model"), headstart.load(tmp_path / "model")) == frozenset()


def test_too_many_images_to_look_for_copies_are_said(
    predictor: Predictor, new: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.pipeline.prepare.MOST_COMPARED", 19)
    (note,) = evaluate(predictor, samples_of(new, LABELS)).notes
    assert note.startswith("Near duplicates were not searched among more than 19 images")


def test_a_split_and_its_classes(predictor: Predictor, new: list[Picture]) -> None:
    samples = replace(samples_of(new, LABELS), splits=np.array(["train"] * 10 + ["test"] * 10))
    assert evaluate(predictor, samples).notes == ("The train split is scored as well: choose another with --split.",)
    found = evaluate(predictor, samples, split="test")
    assert found.images == 10
    assert found.notes == ("The data have no image of 'functional', so nothing is said about them.",)
    with pytest.raises(DataError, match="the split 'val' was asked for, but the data have 'test', 'train'"):
        evaluate(predictor, samples, split="val")


def test_images_that_cannot_be_read_are_named_and_not_scored(
    predictor: Predictor, new: list[Picture], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    found = evaluate(predictor, samples_of([broken, *new], ["functional", *LABELS]))
    assert found.images == 20
    assert [failure.row for failure in found.failures] == [0]
    assert found.card.accuracy == evaluate(predictor, samples_of(new, LABELS)).card.accuracy
    with pytest.raises(DataError, match="of 1 image none could be read, so there is nothing to score"):
        evaluate(predictor, samples_of([broken], ["functional"]))


def test_exact_copies_under_different_labels_are_said(predictor: Predictor, new: list[Picture]) -> None:
    found = evaluate(predictor, samples_of([*new, new[0]], [*LABELS, "defective"]), cache=False)
    (note,) = notes_of(found, "Among 2 images exact duplicates lie under different labels (")
    assert note.endswith("whatever is predicted counts as wrong for some. 'headstart audit' names them all.")
    assert not notes_of(evaluate(predictor, samples_of(new, LABELS), cache=False), "Among")
