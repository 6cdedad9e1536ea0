"""Texts from tables, folders, lists and datasets."""

from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from headstart.data.sources.load import load_dataset
from headstart.data.texts.load import find_texts, recognise
from headstart.errors import DataError, OptionError

ROWS = [
    ("where is my card?", "card"),
    ("it has not come", "card"),
    ("how do I pay", "pay"),
    ("may I pay by phone", "pay"),
]


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def texts_of(path: object, **options: object) -> list[tuple[str, str]]:
    samples = load_dataset(path, **options).samples
    return [(str(item), samples.classes[label]) for item, label in zip(samples.items, samples.labels, strict=True)]


CSV = "text,intent\n" + "".join(f"{text},{label}\n" for text, label in ROWS)


@pytest.mark.parametrize(
    ("name", "content", "encoding"),
    [
        ("a.csv", CSV, "utf-8"),
        ("a.csv", CSV, "utf-8-sig"),
        ("a.csv", CSV.replace(",", ";"), "utf-8"),
        ("a.csv", "label,text\n" + "".join(f'{label},"{text}"\n' for text, label in ROWS), "utf-8"),
        ("a.csv", "".join(f"{label};'{text}'\n" for text, label in ROWS), "utf-8"),
        ("a.tsv", "".join(f"{text}\t{label}\n" for text, label in ROWS), "utf-8"),
        ("a.txt", "".join(f"__label__{label} {text}\n" for text, label in ROWS), "utf-8"),
        ("a.jsonl", "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in ROWS), "utf-8"),
    ],
)
def test_tables_of_many_forms_are_the_same_texts(tmp_path: Path, name: str, content: str, encoding: str) -> None:
    assert texts_of(write(tmp_path, name, content, encoding)) == ROWS


def test_parquet_frames_series_lists_and_datasets_are_the_same_texts(tmp_path: Path) -> None:
    texts, labels = zip(*ROWS, strict=True)
    frame = pd.DataFrame({"text": texts, "label": labels})
    frame.to_parquet(tmp_path / "a.parquet")
    assert texts_of(tmp_path / "a.parquet") == ROWS
    assert texts_of(frame) == ROWS
    assert texts_of(frame["text"], labels=frame["label"]) == ROWS
    assert texts_of(list(texts), labels=list(labels)) == ROWS
    assert texts_of(np.array(texts, object), labels=np.array(labels)) == ROWS
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["card", "pay"])}
    )
    numbers = [["card", "pay"].index(label) for label in labels]
    assert texts_of(datasets.Dataset.from_dict({"text": texts, "label": numbers}, features)) == ROWS


def test_a_folder_of_text_files_has_a_folder_for_each_class(tmp_path: Path) -> None:
    for i, (text, label) in enumerate(ROWS):
        (tmp_path / label).mkdir(exist_ok=True)
        write(tmp_path / label, f"{i}.txt", text)
    assert texts_of(tmp_path) == ROWS
    assert load_dataset(tmp_path).samples.names[0] == "card/0.txt"


def test_bytes_that_are_not_utf8_are_read_as_windows_1252_with_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV.replace("where", "cafés, où").replace("cafés, où", "cafés où"), "cp1252")
    dataset = load_dataset(path)
    assert dataset.samples.items[0] == "cafés où is my card?"
    assert dataset.notes[0] == "a.csv is not UTF-8 (byte 15); it was read as Windows-1252."


def test_labels_stay_as_they_are_written(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "a good film\t1\na bad film\t0\nno good at all\t0\nso very good\t01\n")
    assert load_dataset(path).samples.classes == ("0", "01", "1")


def test_a_table_without_heading_says_which_column_was_taken(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "".join(f"{label}\t{text}\n" for text, label in ROWS))
    note = "a.tsv has no heading: column 2 was taken for the text, column 1 for the label."
    assert load_dataset(path).notes[0] == note


def test_columns_of_any_name_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV.replace("text,intent", "was,wie"))
    assert texts_of(path, text_column="was", label_column="wie") == ROWS
    with pytest.raises(OptionError, match=r"the text column 'wass' was asked for, .* Did you mean 'was'\?"):
        load_dataset(path, text_column="wass", label_column="wie")
    with pytest.raises(
        DataError, match=r"no column that looks like a label .*: name the right one with --label-column"
    ):
        load_dataset(path, text_column="was")


def test_images_and_texts_in_one_table_ask_for_the_modality(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "image,text,label\na.png,a cat sits,cat\nb.png,a dog runs,dog\n")
    with pytest.raises(DataError, match=r"images in 'image' and texts in 'text': say which with --modality image"):
        load_dataset(path)
    assert texts_of(path, modality="text") == [("a cat sits", "cat"), ("a dog runs", "dog")]


def test_paths_of_images_are_no_texts(tmp_path: Path) -> None:
    assert not recognise(["a.png", "b.png"], ["x", "y"])
    assert not recognise(write(tmp_path, "a.csv", "path,label\na.png,x\n"))
    assert not recognise(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "a"\n', "line 1 is not JSON"),
        ("a.jsonl", "[1]\n", "line 1 is a list: one object a line was expected"),
        ("a.txt", "__label__a __label__b both\n", "line 1 has 2 labels: one a text was expected"),
        ("a.txt", "__label__a one\nno label\n", "line 2 has no __label__"),
        ("a.csv", "text,label\na,b,c\n", "line 2 has 3 fields where the first line has 2"),
        ("a.csv", "text,label\n", "has a heading but no rows"),
        ("a.csv", "text,label\na text,\n", "the label is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_a_sentence(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(write(tmp_path, name, content), modality="text")


def test_labels_must_be_one_for_each_text() -> None:
    with pytest.raises(DataError, match="one label for each text was expected; found 1 labels for 2 texts"):
        load_dataset(["one text", "two texts"], labels=["a"])


def test_texts_to_predict_come_from_tables_files_folders_and_lists(tmp_path: Path) -> None:
    table, file = write(tmp_path, "a.csv", CSV), write(tmp_path, "b.txt", "a letter")
    assert find_texts([table, file]).items == (*(text for text, _ in ROWS), "a letter")
    assert find_texts(tmp_path / "b.txt").names == ((tmp_path / "b.txt").as_posix(),)
    assert find_texts(["is this a text", None]).items == ("is this a text", "")
    with pytest.raises(DataError, match=r"questons\.csv does not exist: check its spelling"):
        find_texts([str(tmp_path / "questons.csv")])
