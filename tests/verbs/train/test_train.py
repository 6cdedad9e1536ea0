"""The whole line on real photographs: what is trained, what is promised, what is saved."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.errors import BundleError, DataError, OptionError
from headstart.model.model import Model
from headstart.pipeline.options import Options
from headstart.verbs.train.train import train

QUICK = Options(backbones=("efficientnet_lite0",), heads=("ridge", "class-mean"), repeats=1)


@pytest.fixture(scope="module")
def trained(cells: Path) -> Model:
    return train(cells, options=QUICK)


@pytest.fixture(scope="module")
def saved(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    trained.save(folder)
    return folder


def test_training_on_photographs_measures_better_than_guessing(trained: Model) -> None:
    assert trained.predictor.classes == ("defective", "functional")
    assert trained.race.baseline == 0.6
    assert trained.estimate.value > 0.65
    assert trained.estimate.low < trained.estimate.value < trained.estimate.high


def test_the_comparison_has_a_line_for_each_way_of_looking(trained: Model) -> None:
    assert [(entry.name, entry.features) for entry in trained.race.lines] == [
        ("probe", "efficientnet_lite0, last layer"),
        ("ridge", "efficientnet_lite0, last layer"),
        ("class-mean", "efficientnet_lite0, last layer"),
        ("multi-layer ridge", "efficientnet_lite0, 5 layers"),
    ]
    assert sum(entry.status == "chosen" for entry in trained.race.lines) == 1
    assert trained.race.lines[0].status == "baseline"  # heads were named, and it was not


def test_a_saved_model_answers_as_the_trained_one_does(trained: Model, saved: Path, cells: Path) -> None:
    images = sorted((cells / "defective").iterdir())[:5]
    before = trained.predictor.predict(images)
    after = headstart.load(saved).predict(images)
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    np.testing.assert_allclose(after.probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_same_data_and_seed_give_the_same_learned_bytes(cells: Path, saved: Path, tmp_path: Path) -> None:
    train(cells, options=QUICK).save(tmp_path / "again")
    assert (tmp_path / "again" / "head.safetensors").read_bytes() == (saved / "head.safetensors").read_bytes()


def test_paths_pictures_and_arrays_are_the_same_to_the_predictor(trained: Model, cells: Path) -> None:
    path = next((cells / "defective").iterdir())
    picture = Image.open(path)
    found = trained.predictor.predict([path, str(path), picture, np.asarray(picture)])
    assert found.names[2:] == ("image 2", "image 3")
    np.testing.assert_allclose(found.probabilities, found.probabilities[[0, 0, 0, 0]], atol=1e-5)


def test_a_test_split_is_scored_once_and_never_fitted(cells: Path, tmp_path: Path) -> None:
    for split, part in (("train", slice(5, None)), ("test", slice(0, 5))):
        for name in ("defective", "functional"):
            (tmp_path / split / name).mkdir(parents=True)
            for file in sorted((cells / name).iterdir())[part]:
                shutil.copy(file, tmp_path / split / name)
    found = train(tmp_path, options=QUICK)
    assert found.data.images == 40
    assert found.data.held_out == 10
    assert found.held_out is not None
    assert found.held_out.images == 10
    assert "The test split is kept apart until the end." in found.notes
    assert "held out" in found.summary()


def test_unreadable_images_are_skipped_and_listed(cells: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(cells, data)
    broken = next((data / "functional").iterdir())
    broken.write_bytes(broken.read_bytes()[:300])
    found = train(data, options=QUICK)
    found.save(tmp_path / "model")
    assert [failure.name for failure in found.failures] == [f"functional/{broken.name}"]
    table = (tmp_path / "model" / "unreadable.csv").read_text().splitlines()
    assert table[0] == "path,reason"
    assert table[1].startswith(f"functional/{broken.name},")
    assert found.data.images == 49


def test_too_many_unreadable_images_stop_the_run(cells: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(cells, data)
    for file in sorted((data / "functional").iterdir())[:4]:
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"4 of 50 images cannot be read \(8%, more than the 5% allowed\), among them"):
        train(data, options=QUICK)


def test_one_class_alone_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    shutil.copytree(cells / "defective", tmp_path / "defective")
    with pytest.raises(DataError, match="one class"):
        train(tmp_path, options=QUICK)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": ("rigde",)}, "head must be one of .*Did you mean 'ridge'"),
        ({"metric": "f1"}, "metric must be one of 'accuracy', 'balanced-accuracy', 'macro-f1'; found 'f1'"),
        ({"folds": 1}, "folds must lie between 2 and 1000; found 1"),
        ({"class_weight": "heavy"}, "class_weight must be one of 'none', 'balanced'; found 'heavy'"),
        ({"max_unreadable": 2.0}, "max_unreadable must lie between 0 and 1; found 2.0"),
        ({"backbones": ()}, "backbones is an empty list: name at least one"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**wrong)  # type: ignore[arg-type]


def test_a_bundle_whose_head_does_not_fit_is_refused(saved: Path, tmp_path: Path) -> None:
    from headstart.model import bundle

    opened = bundle.read_bundle(saved)
    arrays = opened.arrays("head.safetensors")
    narrow = {**arrays, "weight": arrays["weight"][:-1], "centre": arrays["centre"][:-1]}
    fields = {k: v for k, v in opened.manifest.items() if k not in ("format", "schema", "files")}
    bundle.write_bundle(tmp_path / "narrow", fields, {"head.safetensors": narrow})
    with pytest.raises(BundleError, match="does not fit its backbones"):
        headstart.load(tmp_path / "narrow")


def test_a_manifest_without_its_head_is_refused(saved: Path, tmp_path: Path) -> None:
    from headstart.model import bundle

    opened = bundle.read_bundle(saved)
    fields = {k: v for k, v in opened.manifest.items() if k not in ("format", "schema", "files", "head")}
    bundle.write_bundle(tmp_path / "headless", fields, {"head.safetensors": opened.arrays("head.safetensors")})
    with pytest.raises(BundleError, match=r"the manifest of .* is damaged \(KeyError: 'head'\)"):
        headstart.load(tmp_path / "headless")


def test_a_test_split_that_repeats_all_of_train_leaves_nothing_to_train_on(cells: Path, tmp_path: Path) -> None:
    shutil.copytree(cells, tmp_path / "train")
    shutil.copytree(cells, tmp_path / "test")
    with pytest.raises(DataError, match=r"no image is left to train on\. Left out: 50 images that are also in a split"):
        train(tmp_path, options=QUICK)


def test_splits_without_train_are_refused(cells: Path, tmp_path: Path) -> None:
    rows = [f"{path},{path.parent.name},{('val', 'test')[i % 2]}" for i, path in enumerate(sorted(cells.glob("*/*")))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,label,split", *rows]))
    with pytest.raises(DataError, match="the data have the splits 'test', 'val' but no 'train'"):
        train(table, options=QUICK)


def test_what_was_passed_over_is_said_once(cells: Path, tmp_path: Path) -> None:
    shutil.copytree(cells, tmp_path / "cells")
    (tmp_path / "cells" / ".DS_Store").touch()
    found = train(tmp_path / "cells", options=QUICK)
    assert [note for note in found.notes if "hidden" in note] == ["Passed over: 1 hidden."]


def test_where_classes_count_alike_fine_tunes_draw_them_alike() -> None:
    from headstart.finetune.recipe import Recipe
    from headstart.pipeline.strategies import fine_tune_recipe

    options = Options(class_weight="balanced", recipe=Recipe(epochs=3))
    assert fine_tune_recipe(options) == Recipe(epochs=3, balanced=True)
    assert fine_tune_recipe(Options()) == Recipe()
