"""What folders are taken for: splits under all their usual names, images without labels, and what must be asked."""

from pathlib import Path

import pytest
from PIL import Image

from headstart.data.sources.load import load_dataset
from headstart.data.sources.split_names import folder_roles, split_of
from headstart.errors import DataError


def put(root: Path, *names: str) -> None:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 9, len(name))).save(root / name, "PNG")


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(root)
    return str(caught.value).replace(str(root.parent if root.name in ("hub", "in") else root), "ROOT")


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (("train", "Training", "TRAIN", "training_set", "seg_train", "train-1", "trainset", "train_data"), "train"),
        (("train images", "TrainImages", "images_train", "train2017", "01_train", "Train_Dataset"), "train"),
        (("val", "valid", "validation", "dev", "eval", "Validation-Set", "val2017", "valset", "valid_images"), "val"),
        (("test", "Testing", "test_set", "seg_test", "test1", "testset", "testdata", "PublicTest"), "test"),
        (("cats", "trains", "training_shoes", "test tube", "latest", "seg_pred", "", "0", "devil", "evaluate"), None),
    ],
)
def test_the_usual_names_of_splits_are_known(names: tuple[str, ...], split: str | None) -> None:
    assert {name: split_of(name) for name in names} == dict.fromkeys(names, split)


def test_what_names_side_by_side_share_does_not_count() -> None:
    assert folder_roles(["plants_train", "plants_test", "plants_pred"]) == ["train", "test", "unlabelled"]
    assert folder_roles(["plants_train", "animals_test"]) == [None, None]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("Training", "Testing"),
        ("plants-train", "plants-test"),
        ("train_images/train", "test_images/test"),
    ],
)
def test_split_folders_in_all_forms_are_no_classes(tmp_path: Path, train: str, test: str) -> None:
    put(tmp_path, *(f"{split}/{name}/{split[:2]}.png" for split in (train, test) for name in ("cats", "dogs")))
    loaded = load_dataset(tmp_path)
    assert loaded.samples.classes == ("cats", "dogs")
    assert loaded.samples.splits is not None
    assert loaded.samples.splits.tolist() == ["train", "train", "test", "test"]
    assert loaded.notes == (f"Splits taken from folders: train from {train!r}, test from {test!r}.",)


@pytest.mark.parametrize("place", ["test", "test/test", "test/images", "test/unknown", "seg_pred/seg_pred"])
def test_images_without_labels_beside_train_are_left_out_and_said(tmp_path: Path, place: str) -> None:
    put(tmp_path, "train/cats/1.png", "train/dogs/2.png", f"{place}/3.png", f"{place}/4.png")
    loaded = load_dataset(tmp_path)
    assert loaded.samples.names == ("train/cats/1.png", "train/dogs/2.png")
    assert loaded.samples.splits is None
    assert loaded.notes == (
        f"Left out: the folder {place.split('/')[0]!r}, whose images have no labels (no class folders); give it to "
        "'headstart predict' once there is a model.",
    )


def test_splits_inside_class_folders_are_splits(tmp_path: Path) -> None:
    put(tmp_path, *(f"{name}/{split}/1.png" for name in ("cats", "dogs") for split in ("test", "train")))
    loaded = load_dataset(tmp_path)
    assert loaded.samples.classes == ("cats", "dogs")
    assert loaded.samples.splits is not None
    assert loaded.samples.splits.tolist() == ["test", "train", "test", "train"]
    assert loaded.notes == ("Splits taken from the folders 'test', 'train' inside each class folder.",)


def test_folders_that_all_hold_the_same_folders_are_asked_about(tmp_path: Path) -> None:
    put(tmp_path, *(f"{domain}/{name}/1.png" for domain in ("photo", "sketch") for name in ("cat", "dog")))
    assert refusal(tmp_path) == (
        "ROOT: the folders 'photo', 'sketch' all hold the same folders, 'cat', 'dog', so either may be the classes: if "
        "the inner ones are, rename the outer ones train and test, or give one alone, such as ROOT/photo; if the outer "
        "ones are, move the images up into them."
    )


def test_one_sub_folder_of_the_same_name_in_each_class_is_nothing_to_ask(tmp_path: Path) -> None:
    put(tmp_path, "cats/images/1.png", "dogs/images/2.png")
    assert load_dataset(tmp_path).samples.classes == ("cats", "dogs")


def test_unicode_forms_are_joined_within_and_across_splits(tmp_path: Path) -> None:
    one, other = "caf\u00e9", "cafe\u0301"
    put(tmp_path, f"{one}/1.png", f"{other}/2.png", "tea/3.png")
    loaded = load_dataset(tmp_path)
    assert loaded.samples.counts() == {one: 2, "tea": 1}
    assert loaded.notes == ("Joined: 'caf\u00e9', which was written in two Unicode forms.",)
    put(tmp_path / "in", f"train/{one}/1.png", "train/tea/2.png", f"test/{other}/3.png", "test/tea/4.png")
    assert load_dataset(tmp_path / "in").samples.classes == (one, "tea")


def test_names_that_differ_in_case_or_blanks_are_one_note_and_said_where_they_part_splits(tmp_path: Path) -> None:
    put(tmp_path, "Cat/1.png", "cat/2.png", "big dog/3.png", "big_dog/4.png")
    loaded = load_dataset(tmp_path)
    assert loaded.samples.classes == ("Cat", "big dog", "big_dog", "cat")
    assert loaded.notes == (
        "Names that differ only in case or blanks are different classes here: 'big dog' and 'big_dog', 'Cat' and "
        "'cat'; rename one if they are the same.",
    )
    put(tmp_path / "in", "train/Cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png")
    assert "so test lacks 'Cat' and test has 'cat' besides ('Cat' and 'cat' differ only in case or blanks): give" in (
        refusal(tmp_path / "in")
    )


def test_a_folder_of_links_is_read_as_what_the_links_are_called(tmp_path: Path) -> None:
    """As the cache of the Hugging Face hub lays a data set out: links into a folder of blobs without endings."""
    put(tmp_path, "blobs/aa11", "blobs/bb22")
    for name, blob in (("cats/1.png", "aa11"), ("dogs/1.png", "bb22")):
        link = tmp_path / "snapshots/main" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(Path("../../../blobs") / blob)
    loaded = load_dataset(tmp_path / "snapshots/main")
    assert loaded.samples.names == ("cats/1.png", "dogs/1.png")
    assert loaded.ignored == {}


def test_a_table_that_lies_there_is_named_where_folders_say_nothing(tmp_path: Path) -> None:
    put(tmp_path, "train/1.png", "test/2.png")
    (tmp_path / "train.csv").write_text("id,label\n1,cat\n")
    assert "but no class folders in 'train': give a table (CSV) of paths and labels (there is ROOT/train.csv)," in (
        refusal(tmp_path)
    )
    (tmp_path / "hub/data").mkdir(parents=True)
    (tmp_path / "hub/data/train-00000-of-00001.parquet").write_bytes(b"PAR1")
    assert refusal(tmp_path / "hub").startswith(
        "ROOT/hub/data/train-00000-of-00001.parquet cannot be read as Parquet (Could not open Parquet"
    )
