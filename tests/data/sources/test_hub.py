"""Hugging Face datasets: features tell the columns, pictures stay encoded until they are needed."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data.images.decode import read_image
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, OptionError

datasets = pytest.importorskip("datasets")


def dataset(labels: list[int], shade: int = 0, **more: Any) -> Any:
    pictures = [Image.new("RGB", (6, 5), (shade, i, 0)) for i in range(len(labels))]
    features = {"photo": datasets.Image(), "animal": datasets.ClassLabel(names=["zebra", "ape"])}
    features |= {name: datasets.Value("string") for name in more}
    return datasets.Dataset.from_dict(
        {"photo": pictures, "animal": labels, **more}, features=datasets.Features(features)
    )


def test_class_names_and_pictures_come_from_the_features() -> None:
    loaded = load_dataset(dataset([0, 1, 0], patient=["p", "q", "p"]))
    samples = loaded.samples
    assert samples.classes == ("ape", "zebra")
    assert samples.labels.tolist() == [1, 0, 1]
    assert samples.names == ("image 0", "image 1", "image 2")
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 1, 0]
    assert samples.items[1].ndim == 1
    assert read_image(samples.items[1]).getpixel((5, 4)) == (0, 1, 0)
    assert loaded.notes == ("Columns used: images from 'photo', labels from 'animal', groups from 'patient'.",)


def test_a_dict_of_datasets_gives_the_splits() -> None:
    both = datasets.DatasetDict({"train": dataset([0, 1]), "validation": dataset([1, 0], shade=9)})
    samples = load_dataset(both).samples
    assert samples.splits is not None
    assert samples.splits.tolist() == ["train", "train", "val", "val"]
    assert samples.names[2] == "validation image 0"


def test_columns_may_be_named_and_hold_paths_or_bytes() -> None:
    stream = io.BytesIO()
    Image.new("L", (2, 2), 9).save(stream, "PNG")
    plain = datasets.Dataset.from_dict({"raw": [stream.getvalue()] * 2, "word": ["a", "b"]})
    samples = load_dataset(plain, path_column="raw", label_column="word").samples
    assert samples.classes == ("a", "b")
    assert samples.content[0] == samples.content[1]
    assert np.asarray(read_image(samples.items[0])).max() == 9
    with pytest.raises(DataError, match="the dataset has no column that looks like a path"):
        load_dataset(plain)


def test_an_empty_cell_in_a_split_column_is_named() -> None:
    with pytest.raises(DataError, match="image 3 has the split ''"):
        load_dataset(dataset([0, 1, 0, 1], split=["train", "train", "test", ""]))


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(DataError, match="the label of image 1 is missing"):
        load_dataset(dataset([0, -1]))
    with pytest.raises(DataError, match="the split 'extra': 'train', 'val' or 'test' was expected"):
        load_dataset(datasets.DatasetDict({"train": dataset([0, 1]), "extra": dataset([0, 1])}))
    with pytest.raises(DataError, match="a streaming dataset cannot be counted"):
        load_dataset(dataset([0, 1]).to_iterable_dataset())
    with pytest.raises(OptionError, match="'labels' cannot be given with a dataset"):
        load_dataset(dataset([0, 1]), labels=["a", "b"])
