"""A batch from elsewhere is found, one from the same source is not, and what cannot be compared is refused."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.backbones.conversion import convert
from headstart.backbones.deltas import apply_delta
from headstart.backbones.opening import open_backbone
from headstart.data.sampling import one_per_small_group
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.embed.features import Part
from headstart.errors import BundleError, DataError, OptionError
from headstart.pipeline.options import Options
from headstart.verbs.drift import drift as task
from headstart.verbs.drift.result import BatchDrift
from headstart.verbs.train.train import train


@pytest.fixture(scope="module")
def elsewhere(watched: Path) -> BatchDrift:
    return headstart.drift(watched / "model", watched / "closer")


def test_a_batch_of_the_same_kind_raises_no_alarm(watched: Path) -> None:
    found = headstart.drift(watched / "model", watched / "new")
    assert not found.drifted
    assert found.test.p > 0.2
    assert found.sentence().startswith("No drift found (")
    assert 34 <= len(found.batch) <= 40  # one of each family of near-copies
    (only,) = found.advice()
    assert only.startswith("Nothing was found against using the model on this batch. A few foreign images among many")
    assert only.endswith(f"(here {found.batch.names[found.most_foreign[0]]}).")
    assert [each.name for each in found.shares] == ["negative", "plain"]
    assert [each.batch for each in found.shares] == pytest.approx([0.5, 0.5], abs=0.1)
    assert [each.reference for each in found.shares] == pytest.approx([0.5, 0.5], abs=0.1)
    assert found.to_dict()["void"] == []


def test_pictures_from_elsewhere_are_found_and_ordered(elsewhere: BatchDrift) -> None:
    assert elsewhere.drifted
    assert not elsewhere.test.label_shift_only
    assert elsewhere.test.p == 0.001
    assert elsewhere.test.balanced_accuracy.value > 0.9
    assert len(elsewhere.scores) == 20
    assert 90 <= len(elsewhere.reference_scores) <= 100  # one of each family of near-copies
    assert elsewhere.most_foreign[0] == int(elsewhere.scores.argmax())
    assert elsewhere.most_usual[0] == int(elsewhere.scores.argmin())
    assert elsewhere.beyond(elsewhere.most_foreign[0]) == 1.0


def test_the_advice_says_which_guarantee_is_void_and_what_to_label(elsewhere: BatchDrift) -> None:
    void, label = elsewhere.advice()
    assert void.startswith("Void for this batch: the guarantee of 'headstart predict --max-error' for predictions")
    assert elsewhere.batch.names[elsewhere.most_foreign[0]] in label
    assert "'headstart extend'" in label
    assert elsewhere.to_dict()["void"] == ["max-error"]


def test_other_shares_of_the_classes_are_told_from_other_pictures(watched: Path) -> None:
    found = headstart.drift(watched / "model", watched / "negatives")
    assert found.test.label_shift_only
    assert found.sentence().startswith(
        "Label shift: the class prior of the batch differs from that of the training data ("
    )
    assert found.shares[0].batch == 1.0
    assert found.advice()[1].startswith("No difference was found within the classes")
    assert found.to_dict()["only_the_shares_of_the_classes_differ"] is True


def test_the_same_images_give_the_same_answer(watched: Path, elsewhere: BatchDrift) -> None:
    again = headstart.drift(watched / "model", sorted((watched / "closer").iterdir()), cache=False)
    one, other = elsewhere.to_dict(), again.to_dict()
    assert [each["image"] for each in one["most_foreign"]] == [each["image"] for each in other["most_foreign"]]
    assert one["sentence"] == other["sentence"]


def test_images_that_the_model_was_trained_on_are_left_out_of_the_batch(watched: Path) -> None:
    known = sorted((watched / "train" / "plain").iterdir())
    found = headstart.drift(watched / "model", [*known[:3], watched / "new"])
    assert found.images == 40
    assert not {known[0].as_posix(), known[1].as_posix(), known[2].as_posix()} & set(found.batch.names)
    assert "Left out of the batch: 3 images that the model was trained on." in found.notes
    with pytest.raises(DataError, match=r"needs at least 10 new images in the batch; 100 of these 100 the model was"):
        headstart.drift(watched / "model", watched / "train")


def test_copies_count_once(watched: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((watched / "new").iterdir())[:9]):
        shutil.copy(file, tmp_path / f"{i}.png")
        shutil.copy(file, tmp_path / f"{i}-again.png")
    with pytest.raises(DataError, match=r"needs at least 10 different images in the batch; found 9: collect more"):
        headstart.drift(watched / "model", tmp_path)


def test_unreadable_images_are_named_and_take_no_part(watched: Path, tmp_path: Path) -> None:
    shutil.copytree(watched / "closer", tmp_path / "batch")
    (tmp_path / "batch" / "broken.png").write_bytes(b"no picture")
    found = headstart.drift(watched / "model", tmp_path / "batch")
    assert len(found.batch) == 20
    assert [Path(each.name).name for each in found.failures] == ["broken.png"]
    files = sorted((watched / "closer").iterdir())[:6]
    broken = [tmp_path / f"{i}.png" for i in range(6)]
    for i, path in enumerate(broken):
        path.write_bytes(b"no picture %d" % i)
    with pytest.raises(DataError, match=r"found 6 of 12 can be read \(.*0.png: it is not an image"):
        headstart.drift(watched / "model", [*files, *broken])


def test_of_a_large_batch_some_are_drawn_before_any_is_embedded(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "MOST_EMBEDDED", 30)
    found = headstart.drift(watched / "model", watched / "new")
    assert len(found.batch) <= 30
    assert found.images == 40
    assert "Of 40 images 30 were drawn at random and looked at." in found.notes


def test_pictures_in_memory_are_a_batch_too(watched: Path, elsewhere: BatchDrift) -> None:
    pictures = [np.asarray(Image.open(file)) for file in sorted((watched / "closer").iterdir())]
    found = headstart.drift(watched / "model", pictures)
    assert found.batch.names[0] == "image 0"
    assert found.test.p == elsewhere.test.p


def test_a_table_is_a_batch_and_small_groups_give_one_image_each(watched: Path, tmp_path: Path) -> None:
    files = sorted((watched / "new").iterdir())
    table = tmp_path / "batch.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "film", "set"])
        rows.writerows([path, f"film {i // 2}", "whatever"] for i, path in enumerate(files))
    found = headstart.drift(watched / "model", load_unlabelled(table, group_column="film"))
    assert len(found.batch) <= 20
    left = 40 - len(found.batch)
    assert (
        f"Of near duplicates, and of small groups, one image each is looked at; {left} others took no part."
        in found.notes
    )
    assert found.test.p_within_classes is not None
    with pytest.raises(OptionError, match="--path-column and --group-column are for a table"):
        load_unlabelled(watched / "new", group_column="film")


def test_large_groups_are_kept_whole_and_that_is_said(watched: Path, tmp_path: Path) -> None:
    files = sorted((watched / "new").iterdir())
    table = tmp_path / "batch.csv"
    table.write_text("path,group\n" + "".join(f"{path},{i % 5}\n" for i, path in enumerate(files)))
    found = headstart.drift(watched / "model", table)
    assert len(found.batch) == 40
    assert found.test.p_within_classes is None
    assert (
        found.notes[-1]
        == "There are large groups of images: whether only the shares of the classes differ is not tested."
    )


def test_one_row_of_each_group_is_drawn_where_groups_are_small() -> None:
    groups = np.repeat(np.arange(20), 2)
    rows = one_per_small_group(groups, 10, 0)
    assert rows is not None
    assert groups[rows].tolist() == list(range(20))
    assert one_per_small_group(groups, 21, 0) is None
    assert one_per_small_group(np.repeat(np.arange(20), 4), 10, 0) is None


def test_training_images_given_as_a_reference_give_the_same_answer_and_pictures(
    watched: Path, elsewhere: BatchDrift, tmp_path: Path
) -> None:
    found = headstart.drift(watched / "model", watched / "closer", reference=watched / "train")
    assert found.comparison.words == elsewhere.comparison.words
    assert found.comparison.words.endswith("of the 100 images that the model was trained on")
    assert found.test.p_within_classes == elsewhere.test.p_within_classes
    pictures = found.comparison.samples
    assert pictures is not None
    assert Path(pictures.names[found.test.reference_extremes[0]]).name.startswith(("plain", "negative"))
    for kind in ("plain", "negative"):
        for file in (watched / "train" / kind).iterdir():
            shutil.copy(file, tmp_path / file.name)
    flat = headstart.drift(watched / "model", watched / "closer", reference=tmp_path)
    assert flat.test.p_within_classes is not None
    assert flat.notes[0].startswith("The reference is taken as images without labels (")


def test_a_model_without_training_rows_asks_for_a_reference(watched: Path, tmp_path: Path) -> None:
    options = Options(backbones=("lite0",), heads=("ridge",), repeats=1, keep_training=False)
    train(watched / "train", options=options).save(tmp_path / "model")
    with pytest.raises(OptionError, match=r"does not hold the embeddings of its training images .* with --reference\."):
        headstart.drift(tmp_path / "model", watched / "closer")
    found = headstart.drift(tmp_path / "model", watched / "negatives", reference=watched / "train")
    assert found.comparison.words.endswith("100 reference images")
    assert found.test.label_shift_only
    flat = sorted(file for file in (watched / "train").rglob("*.png"))
    found = headstart.drift(tmp_path / "model", watched / "negatives", reference=flat)
    assert (found.drifted, found.test.p_within_classes, found.shares) == (True, None, ())
    assert any("whether only the shares of the classes differ is not tested" in note for note in found.notes)


@pytest.fixture(scope="module")
def tuned(watched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose last layers were changed, as fine-tuning does."""
    lite0 = open_backbone("lite0")
    random = np.random.default_rng(0)
    arrays = {name: value.numpy() for name, value in convert.state_dict(lite0).items() if name.startswith("bn2")}
    floats = {name: a * (1 + 0.05 * random.random(a.shape)) for name, a in arrays.items() if a.dtype == np.float32}
    backbone = apply_delta(lite0, floats)
    trained = train(watched / "train", options=Options(backbones=("lite0",), heads=("ridge",), repeats=1))
    parts = tuple(Part(backbone, part.taps) for part in trained.predictor.parts)
    folder = tmp_path_factory.mktemp("tuned") / "model"
    replace(trained, predictor=replace(trained.predictor, parts=parts)).save(folder)
    return folder


def test_a_fine_tuned_model_is_compared_with_images_that_took_no_part(watched: Path, tuned: Path) -> None:
    with pytest.raises(OptionError, match=r"is fine-tuned: its network knows the images .* with --reference\."):
        headstart.drift(tuned, watched / "closer")
    with pytest.raises(OptionError, match=r"--reference names the images that .* was fine-tuned on"):
        headstart.drift(tuned, watched / "closer", reference=watched / "train")
    found = headstart.drift(tuned, watched / "closer", reference=watched / "new")
    assert found.drifted
    assert any("took part in fine-tuning cannot be checked" in note for note in found.notes)


def test_of_a_fine_tuned_model_s_data_the_split_that_was_kept_apart_is_compared_with(
    watched: Path, tuned: Path, tmp_path: Path
) -> None:
    shutil.copytree(watched / "train", tmp_path / "train")
    for file in (watched / "new").iterdir():
        (tmp_path / "test" / file.name.partition("-")[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "test" / file.name.partition("-")[0])
    found = headstart.drift(tuned, watched / "closer", reference=tmp_path)
    assert found.drifted
    assert found.comparison.words.endswith("40 reference images")
    assert "Of the reference only the split that is kept apart in training is used." in found.notes


def test_what_is_no_model_no_batch_or_no_level_is_refused(watched: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no model at"):
        headstart.drift(tmp_path / "gone", watched / "new")
    with pytest.raises(DataError, match="does not exist"):
        headstart.drift(watched / "model", tmp_path / "gone")
    with pytest.raises(DataError, match="no images were found"):
        headstart.drift(watched / "model", tmp_path)
    with pytest.raises(OptionError, match=r"level must lie between 0\.001 and 0\.5; found 0"):
        headstart.drift(watched / "model", watched / "new", level=0)
    shutil.copytree(watched / "model", tmp_path / "model")
    rows = tmp_path / "model" / "training.safetensors"
    rows.write_bytes(rows.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(BundleError, match=r"training\.safetensors is damaged"):
        headstart.drift(tmp_path / "model", watched / "new")


def test_near_copies_count_once(watched: Path, tmp_path: Path) -> None:
    files = sorted((watched / "closer").iterdir())
    for file in files:
        with Image.open(file) as picture:
            picture.save(tmp_path / f"{file.stem}.png")
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"{file.stem}-mirrored.jpg", quality=90)
    found = headstart.drift(watched / "model", tmp_path)
    assert found.images == 40
    assert len(found.batch) <= 20
    assert len({Path(name).stem.removesuffix("-mirrored") for name in found.batch.names}) == len(found.batch)


def test_a_seed_below_0_is_refused(watched: Path) -> None:
    with pytest.raises(OptionError, match=r"seed must lie between 0 and 4294967295; found -1\."):
        headstart.drift(watched / "model", watched / "new", seed=-1)
