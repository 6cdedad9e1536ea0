"""`load` tells sources apart, `find_images` finds what to predict, a wrong path meets the right one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data.sources.load import find_images, load_dataset
from headstart.errors import DataError, OptionError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i, name in enumerate(("photos/cat/a.jpg", "photos/cat/b.jpg", "photos/dog/c.png", "photos/dog/notes.txt")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), i).save(tmp_path / name, "PNG")
    return tmp_path


def test_a_wrong_path_is_answered_with_the_nearest_right_one(photos: Path) -> None:
    with pytest.raises(DataError, match=r"phots does not exist\. Did you mean .*photos\?$"):
        load_dataset(photos / "phots")
    with pytest.raises(DataError, match=r"pothos/cat does not exist \(.*pothos is not there\)\. Did you mean"):
        load_dataset(str(photos / "pothos/cat"))
    with pytest.raises(DataError, match=r"zzz does not exist\. Check its spelling\.$"):
        load_dataset(photos / "zzz")


def test_a_file_that_is_no_table_is_refused(photos: Path) -> None:
    with pytest.raises(DataError, match=r"a.jpg is a file: a folder of class folders, or a table \(\.csv"):
        load_dataset(photos / "photos/cat/a.jpg")


def test_a_dataset_is_returned_as_it_is(photos: Path) -> None:
    dataset = load_dataset(photos / "photos")
    assert load_dataset(dataset) is dataset
    with pytest.raises(OptionError, match="'labels' cannot be given with a Dataset, which is loaded already"):
        load_dataset(dataset, labels=["a"])


def test_options_that_do_not_fit_the_source_are_refused(photos: Path) -> None:
    with pytest.raises(OptionError, match="'label_column' cannot be given with a folder, which has no columns"):
        load_dataset(photos / "photos", label_column="x")
    with pytest.raises(OptionError, match="'labels' cannot be given with a folder or table"):
        load_dataset(photos / "photos", labels=["a"])
    with pytest.raises(OptionError, match="'split_column' cannot be given with a sequence of images"):
        load_dataset([photos / "photos/cat/a.jpg"], labels=["a"], split_column="x")


def test_images_are_found_in_files_folders_and_globs_each_once(photos: Path) -> None:
    folder = photos / "photos"
    found = find_images([folder / "dog", folder / "cat/a.jpg", str(folder / "**/*.jpg"), folder / "dog/notes.txt"])
    assert [Path(name).name for name in found.names] == ["c.png", "notes.txt", "a.jpg", "b.jpg"]
    assert found.labels.tolist() == [-1] * 4
    assert found.classes == ()
    assert find_images(folder).items == find_images([str(folder)]).items


def test_a_file_whose_name_looks_like_a_glob_is_taken(photos: Path) -> None:
    odd = photos / "a[1].png"
    Image.new("L", (2, 2)).save(odd)
    assert find_images([odd]).items == (odd,)


def test_nothing_to_predict_is_an_error(photos: Path) -> None:
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match=r"no images were found in '.*empty'\.$"):
        find_images([photos / "empty"])
    with pytest.raises(DataError, match=r"no images were found in '.*\*\.bmp'\.$"):
        find_images([photos / "*.bmp"])
    with pytest.raises(DataError, match=r"a.jpeg does not exist\. Did you mean .*a\.jpg\?"):
        find_images([photos / "photos/cat/a.jpeg"])
    with pytest.raises(DataError, match="no images were found in "):
        find_images([])


def test_pictures_in_memory_may_be_predicted() -> None:
    found = find_images([np.zeros((4, 4), dtype=np.uint8), Image.new("L", (2, 2))])
    assert found.names == ("image 0", "image 1")


def test_a_broken_link_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(DataError, match=r"leads nowhere: .*gone\.jpg is a broken link to .*nowhere\.jpg"):
        find_images(tmp_path / "gone.jpg")
