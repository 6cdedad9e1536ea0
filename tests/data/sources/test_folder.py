"""Folders of class folders: what is taken, what is passed over and counted, and what is refused."""

import re
from pathlib import Path

import pytest
from PIL import Image

from headstart.data.sources.load import load_dataset
from headstart.errors import DataError


def put(root: Path, *names: str) -> None:
    """Write a small picture under each name, each with its own content; other endings get a line of text."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".jpg", ".png"):
            shade = sum(map(ord, name)) % 256
            Image.new("RGB", (4, 4), (shade, len(name) * 7 % 256, 0)).save(path, "PNG")
        else:
            path.write_text("text")


def refused(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(root)
    return str(caught.value).replace(str(root), "ROOT")


def test_the_folders_names_are_the_classes_in_order(tmp_path: Path) -> None:
    put(tmp_path, "dog/1.jpg", "cat/2.png", "cat/deep/er/3.JPG", "cat/1.jpg")
    loaded = load_dataset(tmp_path)
    assert loaded.samples.classes == ("cat", "dog")
    assert loaded.samples.names == ("cat/1.jpg", "cat/2.png", "cat/deep/er/3.JPG", "dog/1.jpg")
    assert loaded.samples.items[0] == tmp_path / "cat/1.jpg"
    assert loaded.samples.labels.tolist() == [0, 0, 0, 1]
    assert loaded.samples.splits is None
    assert loaded.samples.groups is None
    assert (loaded.ignored, loaded.notes) == ({}, ())


def test_litter_and_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "cat/.DS_Store", "cat/Thumbs.db", "cat/notes.txt", "dog/README")
    put(
        tmp_path,
        ".ipynb_checkpoints/x.jpg",
        "dog/.ipynb_checkpoints/1.jpg",
        "__MACOSX/cat/1.jpg",
        "stray.jpg",
    )
    loaded = load_dataset(tmp_path)
    assert loaded.samples.names == ("cat/1.jpg", "dog/1.jpg")
    assert loaded.ignored == {
        "an image outside the class folders": 1,
        "hidden": 3,
        "left by the operating system": 2,
        "not an image (.txt)": 1,
        "not an image (no ending)": 1,
    }
    assert loaded.notes == (
        "Left out: 1 image outside the class folders.",
        "Passed over: 3 hidden, 2 left by the operating system, 1 not an image (.txt), 1 not an image (no ending).",
    )


def test_links_are_followed_and_a_circle_of_them_ends(tmp_path: Path) -> None:
    put(tmp_path, "real/far.jpg", "data/cat/1.jpg", "data/dog/1.jpg")
    (tmp_path / "data/cat/more").symlink_to(tmp_path / "real")
    (tmp_path / "data/cat/circle").symlink_to(tmp_path / "data/cat")
    (tmp_path / "data/cat/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    loaded = load_dataset(tmp_path / "data")
    assert loaded.samples.names == ("cat/1.jpg", "cat/more/far.jpg", "dog/1.jpg")
    assert loaded.ignored == {"leading nowhere": 1, "seen before": 1}


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "TESTING"),
        ("TRAIN", "valid", "test"),
        ("train", "dev", "test"),
    ],
)
def test_split_folders_are_known_by_their_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    for split in (train, val, test):
        put(tmp_path, f"{split}/cat/{split}1.jpg", f"{split}/dog/{split}2.jpg")
    samples = load_dataset(tmp_path).samples
    assert samples.classes == ("cat", "dog")
    assert samples.splits is not None
    assert samples.splits.tolist() == ["train", "train", "val", "val", "test", "test"]
    assert samples.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert samples.names[2] == f"{val}/cat/{val}1.jpg"


def test_a_split_that_lacks_a_class_is_refused_with_both_sides(tmp_path: Path) -> None:
    put(
        tmp_path,
        "train/a/1.jpg",
        "train/b/1.jpg",
        "train/c/1.jpg",
        "val/a/1.jpg",
        "val/b/1.jpg",
        "val/d/1.jpg",
    )
    assert refused(tmp_path) == (
        "ROOT: the class folders differ between splits: train has 'a', 'b', 'c', val has 'a', 'b', 'd', "
        "so val lacks 'c' and val has 'd' besides: give every split the same class folders."
    )


def test_a_train_folder_alone_is_no_split(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg", "train/b/1.jpg")
    samples = load_dataset(tmp_path).samples
    assert samples.classes == ("a", "b")
    assert samples.splits is None


def test_splits_without_class_folders_are_not_taken_for_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/1.jpg", "test/1.jpg")
    assert refused(tmp_path) == (
        "ROOT has the split folders 'test', 'train' but no class folders in 'train': give a table (CSV) of paths and "
        "labels, or a folder for each class; if these are the classes, give them other names."
    )


def test_a_class_called_train_among_others_may_have_folders_inside(tmp_path: Path) -> None:
    put(tmp_path, "train/steam/1.jpg", "bus/1.jpg", "car/1.jpg")
    assert load_dataset(tmp_path).samples.classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "ROOT holds nothing: a folder for each class was expected, with that class's images in it."),
        (("a.txt",), "ROOT holds no images (1 other file): a folder for each class was expected"),
        (
            ("1.jpg", "2.jpg"),
            "ROOT holds 2 images but no class folders: a folder for each class was expected",
        ),
        (("a/1.txt", "b/2.txt"), "ROOT holds no images: its folders 'a', 'b' are all without one."),
        (
            ("a/1.jpg", "b/2.txt"),
            "ROOT has class folders without any image, 'b': add images, or take the folders",
        ),
        (("test/a/1.jpg", "val/a/1.jpg"), "ROOT has the split folders 'test', 'val' but none called 'train'"),
        (
            ("train/a/1.jpg", "val/1.jpg"),
            "the val folder ROOT/val has no class folders (1 image lie loose in it)",
        ),
        (("train/a/1.jpg", "val/a/1.jpg", "odd/1.jpg"), "ROOT has split folders and, beside them, 'odd'"),
        (
            ("train/a/1.jpg", "dev/a/1.jpg", "val/a/1.jpg"),
            "ROOT has two folders for its val split, 'dev' and 'val'",
        ),
        (("in/a/1.jpg", "in/b/1.jpg"), "the class folders seem to lie inside it: did you mean ROOT/in?"),
    ],
)
def test_a_folder_that_cannot_be_understood_is_refused_in_one_sentence(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    put(tmp_path, *names)
    found = refused(tmp_path)
    assert message in found
    assert re.search(r"\.$|\?$", found)


def test_the_same_file_has_the_same_content_and_an_empty_one_its_own(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "b/2.jpg").write_bytes((tmp_path / "a/1.jpg").read_bytes())
    (tmp_path / "a/empty.jpg").touch()
    (tmp_path / "b/empty.jpg").touch()
    samples = load_dataset(tmp_path).samples
    content = dict(zip(samples.names, samples.content, strict=True))
    assert content["a/1.jpg"] == content["b/2.jpg"]
    assert content["a/empty.jpg"] != content["b/empty.jpg"]


def test_a_link_to_itself_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "cat" / "self").symlink_to("self")
    (tmp_path / "cat" / "self.jpg").symlink_to("self.jpg")
    loaded = load_dataset(tmp_path)
    assert len(loaded.samples) == 2
    assert loaded.ignored == {"leading nowhere": 2}
