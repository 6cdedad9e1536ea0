"""Pictures with labels from Python."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, OptionError

GREY = [np.full((4, 4), i, dtype=np.uint8) for i in range(3)]


def test_paths_pil_images_and_arrays_may_be_mixed(tmp_path: Path) -> None:
    for name in ("x/a.png", "y/b.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (2, 2), len(name)).save(tmp_path / name)
    loaded = load_dataset(
        [str(tmp_path / "x/a.png"), tmp_path / "y/b.png", GREY[0], Image.new("L", (2, 2))], labels="bbaa"
    )
    assert loaded.samples.names == ("x/a.png", "y/b.png", "image 2", "image 3")
    assert loaded.samples.classes == ("a", "b")
    assert loaded.samples.labels.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([2, 10, 2], ("10", "2")),
        (np.array([0, 1, 0]), ("0", "1")),
        ([0.0, 1.0, 0.0], ("0", "1")),
        ([True, False, True], ("False", "True")),
        (np.array(["x", "y", "x"]), ("x", "y")),
    ],
)
def test_labels_of_any_kind_become_text(labels: object, classes: tuple[str, ...]) -> None:
    assert load_dataset(GREY, labels=labels).samples.classes == classes


def test_one_array_of_pictures_is_taken_apart() -> None:
    batch = np.zeros((5, 8, 8, 3), dtype=np.uint8)
    samples = load_dataset(batch, labels=[0, 1, 0, 1, 0], groups=["a", "b", "a", None, float("nan")]).samples
    assert len(samples) == 5
    assert samples.items[0].shape == (8, 8, 3)
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 1, 0, 2, 3]
    assert len(load_dataset(np.zeros((5, 8, 8), dtype=np.uint8), labels=[0, 1, 0, 1, 0]).samples) == 5


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY, ["a", "b"], "one label for each image was expected; found 2 labels for 3 images."),
        (GREY, ["a", None, "b"], "the label of image 1 is missing: give every row a label."),
        (GREY, ["a", float("nan"), "b"], "the label of image 1 is missing"),
        (GREY, ["a", " ", "b"], "the label of image 1 is empty"),
        ([], [], "a sequence of images was expected; found an empty one."),
        ([1, 2], ["a", "b"], "image 0 is a int: a path, a PIL image or a numpy array was expected."),
        (np.zeros((3, 7)), [0, 1, 0], r"an array of shape \(3, 7\) is not a set of images"),
        (np.zeros((9, 7, 3)), [0], r"an array of shape \(9, 7, 3\) is not a set of images"),
        (Image.new("L", (2, 2)), ["a"], "a sequence of images was expected; found a Image."),
        (iter(GREY), ["a"], "a sequence of images was expected; found a list_iterator."),
    ],
)
def test_what_is_no_labelled_set_of_pictures_is_refused(images: object, labels: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(images, labels=labels)


def test_labels_must_be_there() -> None:
    with pytest.raises(OptionError, match="labels must be given with a sequence of images"):
        load_dataset(GREY)


def test_a_path_that_is_not_there_stays_to_be_reported_when_it_is_decoded(tmp_path: Path) -> None:
    samples = load_dataset([tmp_path / "a.png", tmp_path / "b.png"], labels=["a", "b"]).samples
    assert samples.names == ("a.png", "b.png")
    assert samples.content[0] != samples.content[1]
