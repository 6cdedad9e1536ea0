"""`headstart shift`, `headstart adapt` and `headstart train --target` as a person meets them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import headstart, refused

import headstart as toolkit
from headstart.demo.corruptions import corrupt
from headstart.demo.solar import solar_cells
from headstart.errors import OptionError


@pytest.fixture(scope="module")
def night(watched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 other photographs and negatives, as heavy noise and night would have them, in class folders."""
    from PIL import ImageOps

    folder = tmp_path_factory.mktemp("night")
    files = solar_cells().samples.items
    order = np.random.default_rng(0).permutation(len(files))[200:270]
    for place, number in enumerate(order):
        kind = "negative" if place % 2 else "plain"
        with Image.open(files[number]) as image:
            picture = image.convert("L")
        picture = ImageOps.invert(picture) if place % 2 else picture
        (folder / kind).mkdir(exist_ok=True)
        corrupt(corrupt(picture, "night", 5, seed=place), "noise", 2, seed=place).save(folder / kind / f"{place}.png")
    return folder


def test_where_nothing_differs_nothing_is_done(watched: Path, tmp_path: Path) -> None:
    done = headstart("shift", watched / "model", watched / "new")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("shift      none: use the model as it is (a classifier tells the two apart in ")
    assert "headstart predict" in done.stdout
    place = tmp_path / "adapted"
    done = headstart("adapt", watched / "model", watched / "new", "-o", place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done       nothing was adapted\nshift      none")
    assert not place.exists()


def test_where_it_cannot_be_seen_that_adapting_helps_the_images_to_label_are_named(watched: Path, night: Path) -> None:
    done = headstart("shift", watched / "model", night, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["verdict"] in ("unsure", "adapted")
    assert facts["domain_accuracy"]["value"] > 0.9
    assert len(facts["layers"]) == 5 or len(facts["layers"]) == 1
    assert set(facts["shares"]) == {"plain", "negative"}
    assert len(facts["label_first"]) == 4
    assert facts["images"] == 70
    said = headstart("shift", watched / "model", night, "--details").stdout
    assert "told apart" in said
    assert "label these 4 first" in said


def test_labels_of_the_target_measure_adapt_and_give_the_guarantee_back(
    watched: Path, night: Path, tmp_path: Path
) -> None:
    place = tmp_path / "night-model"
    done = headstart("adapt", watched / "model", night, "--target-labels", night, "-o", place)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.startswith("done"), done.stdout
    assert "measured on 70 labelled target images, each left out of its fit" in done.stdout
    model = toolkit.load(place)
    assert model.manifest["adaptation"]["verdict"] == "adapted"
    assert model.manifest["adapted_from"]["name"] == str(watched / "model")
    labels = toolkit.predict(model, night).labels
    truth = [path.parent.name for path in sorted(night.rglob("*.png"))]
    assert np.mean([one == other for one, other in zip(labels, truth, strict=True)]) > 0.9
    assert model.triage(0.25).feasible
    assert "rest on the 70 labelled images of the target" in " ".join(model.manifest["notes"])
    assert "right on the target" in headstart("info", place).stdout
    sentence = refused("extend", place, night)
    assert "was adapted to another domain" in sentence
    assert "does not hold the embeddings of its training images" in refused("adapt", place, night)


def test_train_with_a_target_saves_a_model_either_way(watched: Path, night: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    quick = ("--heads", "ridge", "--backbones", "lite0", "--repeats", "1")
    done = headstart("train", watched / "train", "-o", place, *quick, "--target", watched / "new")
    assert done.returncode == 0, done.stderr
    assert "done       nothing was adapted" in done.stdout
    assert f"saved      {place}: the model as it was trained, not adapted" in done.stdout
    assert "adaptation" not in toolkit.load(place).manifest
    assert "--target-labels are of the images of --target" in refused(
        "train", watched / "train", "-o", tmp_path / "other", *quick, "--target-labels", night
    )


def test_several_source_domains_are_told_apart_from_the_target_each(watched: Path, night: Path, tmp_path: Path) -> None:
    dusk = tmp_path / "dusk"
    for path in sorted((watched / "train").rglob("*.png")):
        place = dusk / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            corrupt(image, "night", 2).save(place)
    quick = ("--heads", "ridge", "--backbones", "lite0", "--repeats", "1")
    done = headstart(
        "train", watched / "train", "--also", dusk, "-o", tmp_path / "model", *quick, "--target", night, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["sources"]) == {"train", "dusk"}
    assert "--also names further domains to adapt from: give --target" in refused(
        "train", watched / "train", "--also", dusk, "-o", tmp_path / "x", *quick
    )


def test_what_cannot_be_adapted_to_is_refused_in_a_sentence(watched: Path, night: Path, tmp_path: Path) -> None:
    model = watched / "model"
    assert "adapting needs at least 30 different images of the target; found 20" in refused(
        "shift", model, watched / "closer"
    )
    assert "are images that" in refused("adapt", model, watched / "train", "-o", tmp_path / "x")
    strange = tmp_path / "strange"
    shutil.copytree(night / "plain", strange / "broken")
    shutil.copytree(night / "negative", strange / "negative")
    assert "the target's labels name 'broken', which the model does not know" in refused(
        "adapt", model, night, "--target-labels", strange, "-o", tmp_path / "x"
    )
    lacking = tmp_path / "lacking"
    shutil.copytree(night / "plain", lacking / "plain")
    assert "the target's labels lack 'negative'" in refused(
        "adapt", model, night, "--target-labels", lacking, "-o", tmp_path / "x"
    )
    assert "the labelled target images are all 'plain'" in refused(
        "adapt", model, night, "--target-labels", lacking, "--allow-missing", "-o", tmp_path / "x"
    )
    assert "cannot be saved over" in refused("adapt", model, night, "-o", model)


def test_a_labelled_folder_stands_for_a_model(watched: Path, night: Path) -> None:
    result = toolkit.shift(watched / "train", night)
    assert result.shifted
    assert result.source.value > 0.9
    assert result.to_dict()["source_accuracy"]["value"] == result.source.value


def test_predict_adapts_a_batch_only_when_asked_and_never_a_few_images(watched: Path, night: Path) -> None:
    model = watched / "model"
    done = headstart("predict", model, night, "--adapt", "--csv")
    assert done.returncode == 0, done.stderr
    assert "The 70 images were standardised by their own statistics (--adapt)" in done.stderr
    assert done.stdout != headstart("predict", model, night, "--csv").stdout
    one = next(night.rglob("*.png"))
    assert "--adapt needs at least 30 images in the batch that can be read; found 1" in refused(
        "predict", model, one, "--adapt"
    )
    assert "--adapt voids guarantees and sets" in refused("predict", model, night, "--adapt", "--max-error", "0.1")


def test_a_pool_joins_in_training_and_test_images_in_it_are_refused(watched: Path, night: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    shutil.copytree(watched / "new", pool)
    place = tmp_path / "model"
    quick = ("--heads", "ridge", "--backbones", "lite0", "--repeats", "1")
    done = headstart("train", watched / "train", "-o", place, *quick, "--unlabelled", pool, "--details")
    assert done.returncode == 0, done.stderr
    assert "self-trained\tlite0, 5 layers and 40 unlabelled images" in done.stdout
    assert "A pool of 40 unlabelled images took part in training" in done.stderr
    assert len(toolkit.predict(place, night).labels) == 70
    assert "a pool needs at least 30 unlabelled images that are not among the labelled ones" in refused(
        "train", watched / "train", "-o", tmp_path / "x", *quick, "--unlabelled", watched / "train"
    )
    sentence = refused(
        "train", watched / "train", "-o", tmp_path / "x", *quick, "--holdout", "20%", "--unlabelled", watched / "train"
    )
    assert "of the test part, whose score would then mean nothing" in sentence


def test_a_pool_of_one_class_alone_is_not_used(watched: Path, tmp_path: Path) -> None:
    files = solar_cells().samples.items
    for number in np.random.default_rng(0).permutation(len(files))[270:310]:
        shutil.copy(files[number], tmp_path / f"{number}.png")
    result = toolkit.train(watched / "train", heads="ridge", backbones="lite0", repeats=1, unlabelled=str(tmp_path))
    assert "self-trained" not in [line.name for line in result.race.lines]
    assert "The pool of 40 images was not used: its classes seem to have other shares than" in " ".join(result.notes)


def test_a_pool_beside_texts_is_refused(watched: Path) -> None:
    texts = ["good", "fine", "bad", "poor"] * 5
    with pytest.raises(OptionError, match="--unlabelled is a folder of images, and the data are texts"):
        toolkit.train(texts, ["yes", "yes", "no", "no"] * 5, unlabelled=str(watched / "new"))


def test_the_function_s_name_is_not_a_room_s(watched: Path, night: Path) -> None:
    assert toolkit.shift(watched / "model", night).images == 70
    assert callable(toolkit.adapt)
