"""Classes added to a trained model: exactly what training on everything gives, measured in pairs, told honestly."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

import headstart
from headstart.backbones.deltas import apply_delta
from headstart.data.sources.load import load_dataset
from headstart.embed.features import Part
from headstart.errors import BundleError, DataError, OptionError
from headstart.heads.catalog import HEADS, make_head
from headstart.model import bundle
from headstart.model.model import Model
from headstart.model.rows import rows_to_save
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import prepare
from headstart.records.run import Run
from headstart.verbs.extend.extend import Extended, extend
from headstart.verbs.train.train import train

LITE0 = "efficientnet_lite0"


def tiles(folder: Path, name: str, count: int = 12) -> None:
    """Square pieces of one of scikit-image's photographs, as a class folder."""
    whole = Image.fromarray(getattr(photographs, name)()).convert("RGB")
    (folder / name).mkdir(parents=True)
    for i in range(count):
        x, y = 100 * (i % 4), 100 * (i // 4)
        whole.crop((x, y, x + 100, y + 100)).save(folder / name / f"{i:02d}.png")


@pytest.fixture(scope="module")
def bricks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bricks")
    tiles(folder, "brick")
    return folder


@pytest.fixture(scope="module")
def trained(cells: Path) -> Model:
    return train(cells, options=Options(backbones=(LITE0,), heads=("ridge",), repeats=2))


@pytest.fixture(scope="module")
def saved(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old") / "model"
    trained.save(folder)
    return folder


@pytest.fixture(scope="module")
def extended(saved: Path, bricks: Path) -> Extended:
    return extend(saved, bricks)


def together(cells: Path, *others: Path) -> tuple[list[Path], list[str]]:
    files = [file for root in (cells, *others) for file in sorted(root.glob("*/*"))]
    return files, [file.parent.name for file in files]


def test_it_gives_what_training_on_old_and_new_with_the_same_setting_gives(
    extended: Extended, trained: Model, cells: Path, bricks: Path
) -> None:
    files, labels = together(cells, bricks)
    prepared = prepare(load_dataset(files, labels=labels), (LITE0,), Run(max_unreadable=0.0))
    X = prepared.embedded[0].joined(trained.predictor.parts[0].taps)
    wanted = make_head(
        "ridge", signed_sqrt=bool(trained.predictor.form.root), configuration=trained.race.configuration
    ).fit(X, prepared.samples.labels)
    assert extended.model.predictor.classes == ("brick", "defective", "functional") == prepared.samples.classes
    found = extended.model.predictor.form.scores(X)
    np.testing.assert_allclose(found, wanted.form_.scores(X), atol=2e-4)


def test_before_is_the_old_models_own_out_of_fold_score(extended: Extended, trained: Model) -> None:
    report = extended.report
    assert report.images == 50
    assert report.before.value == pytest.approx(trained.race.raw)
    assert report.gain.value == pytest.approx(report.after.value - report.before.value)
    assert report.gain.low < report.gain.value < report.gain.high
    assert [(each.name, each.new, each.images) for each in report.classes] == [
        ("brick", True, 12),
        ("defective", False, 20),
        ("functional", False, 30),
    ]


def test_a_class_that_looks_different_is_found_and_takes_nothing(extended: Extended) -> None:
    assert extended.new_classes == ("brick",)
    assert extended.report.new is not None
    assert extended.report.new.value == 1.0
    assert extended.report.into_new == 0.0
    assert extended.report.takeovers == ()


def test_the_extended_model_is_saved_opened_and_extended_again(
    extended: Extended, saved: Path, bricks: Path, tmp_path: Path
) -> None:
    extended.save(tmp_path / "second")
    opened = headstart.load(tmp_path / "second")
    assert set(opened.predict([bricks / "brick" / "00.png"]).labels) == {"brick"}
    origin = opened.manifest["extended_from"]
    assert origin["manifest"] == headstart.fingerprint.hash_file(saved / "manifest.json")
    assert (origin["classes"], origin["images"]) == (["defective", "functional"], 50)
    assert opened.manifest["data"]["counts"] == {"brick": 12, "defective": 20, "functional": 30}
    assert opened.manifest["scores"]["estimate"]["method"].startswith("one configuration, nothing selected")
    tiles(tmp_path / "new", "grass")
    third = extend(tmp_path / "second", tmp_path / "new")
    assert third.model.predictor.classes == ("brick", "defective", "functional", "grass")
    assert third.report.before.value == pytest.approx(extended.model.race.raw)


def test_the_old_images_do_as_well_as_their_kept_embeddings(
    trained: Model, extended: Extended, cells: Path, bricks: Path, tmp_path: Path
) -> None:
    replace(trained, rows=None).save(tmp_path / "bare")
    with pytest.raises(OptionError, match="give the images that it was trained on with --old-data"):
        extend(tmp_path / "bare", bricks)
    found = extend(tmp_path / "bare", bricks, old=cells)
    assert found.report == extended.report
    assert not any("not exactly the images" in note for note in found.model.notes)
    with pytest.raises(DataError, match="the old data have the classes 'brick'"):
        extend(tmp_path / "bare", bricks, old=bricks)


def test_more_images_of_known_classes_are_added_without_a_new_class(cells: Path, tmp_path: Path) -> None:
    for root, keep in (("old", slice(0, 14)), ("new", slice(14, None))):
        for kind in ("defective", "functional"):
            (tmp_path / root / kind).mkdir(parents=True)
            for file in sorted((cells / kind).iterdir())[keep]:
                shutil.copy(file, tmp_path / root / kind)
    train(tmp_path / "old", options=Options(backbones=(LITE0,), heads=("lda",), repeats=1)).save(tmp_path / "model")
    found = extend(tmp_path / "model", tmp_path / "new")
    assert found.new_classes == ()
    assert found.report.new is None
    assert found.report.images == 28
    assert found.model.data.images == 50
    assert (
        found.model.race.configuration
        == json.loads((tmp_path / "model/manifest.json").read_text())["head"]["configuration"]
    )


@pytest.mark.parametrize("head", [name for name in HEADS if name != "ridge"])
def test_every_head_can_be_extended(head: str, cells: Path, bricks: Path, tmp_path: Path) -> None:
    train(cells, options=Options(backbones=(LITE0,), heads=(head,), repeats=1, folds=2)).save(tmp_path / "model")
    found = extend(tmp_path / "model", bricks)
    closed = head in ("lda", "class-mean", "knn")
    assert found.how.startswith(f"{head} solved anew in closed form" if closed else f"{head} refitted to all images")
    assert found.report.before.value == pytest.approx(
        headstart.load(tmp_path / "model").manifest["scores"]["uncorrected"]
    )
    assert found.report.new is not None
    assert found.report.new.value > 1 / 3  # 12 of 62 images are bricks


def test_the_setting_is_chosen_anew_where_that_is_asked(saved: Path, bricks: Path, extended: Extended) -> None:
    found = extend(saved, bricks, retune=True)
    assert found.how == "ridge solved anew in closed form over all images, its configuration chosen anew by the folds"
    assert set(found.model.race.configuration) == {"alpha"}
    assert found.model.race.configurations == extended.model.race.configurations == 1
    assert found.report.before == extended.report.before


def test_images_that_the_model_knows_already_are_left_out(saved: Path, cells: Path, bricks: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to add: of 50 images none is new\. Left out: 50 images"):
        extend(saved, cells)
    files, labels = together(cells, bricks)
    found = extend(saved, load_dataset(files, labels=labels))
    assert found.model.data.images == 62
    assert "Left out: 50 images that the model was trained on already." in found.model.notes


def test_a_known_image_under_another_class_is_left_out_on_both_sides(saved: Path, cells: Path, bricks: Path) -> None:
    files, labels = together(bricks)
    wrong = sorted((cells / "defective").iterdir())[0]
    found = extend(saved, load_dataset([*files, wrong], labels=[*labels, "brick"]))
    assert found.model.data.counts == {"brick": 12, "defective": 19, "functional": 30}
    assert any("under another class" in note and "was 'defective'" in note for note in found.model.notes)


def test_a_class_that_differs_only_by_case_is_warned_of(saved: Path, bricks: Path) -> None:
    files, labels = together(bricks)
    found = extend(saved, load_dataset(files, labels=["Defective"] * len(labels)))
    assert any("'Defective' is nearly the model's class 'defective'" in note for note in found.model.notes)
    assert "Defective" in found.model.predictor.classes


def test_unreadable_new_images_are_left_out_or_stop_the_run(saved: Path, bricks: Path, tmp_path: Path) -> None:
    shutil.copytree(bricks, tmp_path / "new")
    (tmp_path / "new/brick/00.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="1 of 12 images cannot be read"):
        extend(saved, tmp_path / "new")
    found = extend(saved, tmp_path / "new", max_unreadable=0.1)
    assert found.model.data.counts["brick"] == 11
    assert any(note.startswith("1 image cannot be read and took no part") for note in found.model.notes)


def test_a_single_new_image_is_too_few_to_measure_a_class_on(saved: Path, bricks: Path) -> None:
    with pytest.raises(DataError, match=r"too few images to measure a model on: 'brick \(1\)'"):
        extend(saved, load_dataset([bricks / "brick/00.png"], labels=["brick"]))


def test_a_test_split_of_the_new_data_is_kept_apart_and_scored(saved: Path, bricks: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((bricks / "brick").iterdir())):
        place = tmp_path / ("test" if i < 3 else "train") / "brick"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    found = extend(saved, tmp_path)
    assert found.model.data.counts["brick"] == 9
    assert found.model.held_out is not None
    assert (found.model.held_out.images, found.model.held_out.card.accuracy.value) == (3, 1.0)


def test_a_fine_tuned_model_gets_a_ridge_head_and_says_what_was_not_done(
    trained: Model, cells: Path, bricks: Path, tmp_path: Path
) -> None:
    (part,) = trained.predictor.parts
    shifted = np.random.default_rng(0).standard_normal(1280)
    parts = (Part(apply_delta(part.backbone, {"bn2.bias": shifted}), part.taps),)
    replace(trained, predictor=replace(trained.predictor, parts=parts)).save(tmp_path / "tuned")
    with pytest.raises(OptionError, match="a fine-tuned one"):
        extend(tmp_path / "tuned", bricks)
    found = extend(tmp_path / "tuned", bricks, old=cells)
    assert found.how.startswith("a ridge head on the fine-tuned network's features")
    assert any("it was not trained on the new ones" in note for note in found.model.notes)
    found.save(tmp_path / "more")
    assert headstart.load(tmp_path / "more").parts[0].backbone.delta is not None
    assert (tmp_path / "more" / "training.safetensors").exists()


def arrays_changed(saved: Path, folder: Path, **arrays: object) -> Path:
    opened = bundle.read_bundle(saved)
    files = {**opened.arrays("training.safetensors"), **arrays}
    kept = {name: value for name, value in opened.manifest.items() if name not in ("format", "schema", "files")}
    others = {name: opened.arrays(name) for name in ("head.safetensors", "trust.safetensors")}
    bundle.write_bundle(folder, kept, {**others, "training.safetensors": files})  # type: ignore[dict-item]
    return folder


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.zeros((50, 3), np.float32)}, "its rows do not fit the model's backbones"),
        ({"X": np.zeros((2, 2), np.float64)}, "the array 'X' holds float64 numbers, not float32"),
        ({"labels": np.full(50, 7)}, "its labels are not those of the model's classes"),
        ({"labels": np.zeros(3, np.int64)}, "'labels' has an axis of length 3"),
        ({"folds": np.zeros((1, 50), np.int64)}, "its folds are not folds"),
        ({"more": np.zeros(1)}, "it must hold X, content, folds"),
    ],
)
def test_training_rows_are_not_taken_on_trust(
    arrays: dict[str, object], said: str, saved: Path, bricks: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=said):
        extend(arrays_changed(saved, tmp_path / "model", **arrays), bricks)


@pytest.mark.parametrize("settings", [{"alpha": "much"}, {"alpha": [1]}, {"alpha": "auto"}, {"alpha": -1.0}, {}, 5])
def test_settings_that_are_none_are_refused(settings: object, saved: Path, bricks: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    manifest["head"]["configuration"] = settings
    (tmp_path / "model/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="how its head was trained cannot be read"):
        extend(tmp_path / "model", bricks)


def test_rows_that_are_too_large_are_not_kept_and_that_is_said(trained: Model) -> None:
    assert trained.rows is not None
    wide = np.zeros((1, 1), np.float32)
    rows = replace(trained.rows, X=np.broadcast_to(wide, (50, 1 << 20)))
    kept, notes = rows_to_save(rows, keep=True)
    assert kept is None
    assert "(200 MB, more than 128) are not kept" in notes[0]
    assert rows_to_save(rows, keep=False) == (None, ())
