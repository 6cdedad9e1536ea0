"""Accuracy against labels per class on real photographs: what is measured, what is left out, and what is said of it."""

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.opening import open_backbone
from headstart.data.sources.load import load_dataset
from headstart.errors import BackboneError, DataError, MissingExtra, OptionError
from headstart.verbs.curve import random_features
from headstart.verbs.curve.curve import Curve, learning_curve

LITE = ("lite0",)


@pytest.fixture(scope="module")
def found(cells: Path) -> Curve:
    return learning_curve(cells, target=0.99, backbones=LITE, random=False)


def test_the_sizes_run_up_to_what_the_smaller_class_allows(found: Curve) -> None:
    (series,) = found.series
    assert found.counts == {"defective": 20, "functional": 30}
    assert series.measured.sizes.tolist() == [1, 2, 3, 5, 7, 10, 15, 20]  # 16 + 20 of 40 labels
    assert set(series.measured.heads.tolist()) == {50}
    assert set(series.measured.tested.tolist()) == {50}
    assert series.name == "pretrained"
    assert series.features == "efficientnet_lite0, 5 layers"
    assert found.notes[0].startswith("Duplicates: 3 of 50 images repeat another one (3 nearly: turned, mirrored,")
    assert "used whole there: defective (16)." in found.notes[1]
    assert found.notes[2].startswith("The curve ends at 20 labels per class, although some classes have more")


def test_points_have_intervals_and_rise_on_the_whole(found: Curve) -> None:
    points = found.series[0].points
    assert all(point.low < point.value < point.high for point in points)
    assert points[-1].value > points[0].value + 0.05


def test_all_images_are_measured_where_classes_are_unequal(found: Curve) -> None:
    assert found.whole is not None
    assert 0.6 < found.whole.value <= 1


def test_the_answer_and_the_forecasts_are_there(found: Curve) -> None:
    assert found.answer.target == 0.99
    assert "99 %" in found.answer.sentence
    assert list(found.ahead) == [40, 80]
    assert all(each.confidence == 0.8 and each.low <= each.value <= each.high for each in found.ahead.values())


def test_it_is_a_frozen_record_that_json_can_carry(found: Curve) -> None:
    with pytest.raises(FrozenInstanceError):
        found.whole = None  # type: ignore[misc]
    told = json.loads(json.dumps(found.to_dict()))
    assert told["answer"]["verdict"] == found.answer.verdict
    assert [point["labels_per_class"] for point in told["series"][0]["points"]] == [1, 2, 3, 5, 7, 10, 15, 20]
    assert told["series"][0]["law"].keys() == {"ceiling", "gap", "rate"}
    assert told["counts"] == {"defective": 20, "functional": 30}


def test_the_summary_says_it_in_lines(found: Curve) -> None:
    lines = found.summary().splitlines()
    assert lines[0] == "data        50 images of 2 classes (defective 20, functional 30)"
    assert lines[1] == "measured    ridge on efficientnet_lite0, 5 layers"
    assert lines[2].endswith("with 80 labels per class (80 % band)")
    assert lines[3] == f"answer      {found.answer.sentence}"


def test_equal_classes_need_no_last_line_and_the_seed_repeats(cell_files: dict[str, list[Path]]) -> None:
    files = [*cell_files["functional"][:12], *cell_files["defective"][:12]]
    labels = ["functional"] * 12 + ["defective"] * 12
    first, again = (learning_curve(files, labels, backbones=LITE, random=False, seed=3) for _ in range(2))
    assert first.whole is None
    assert [note.split(";")[0][:50] for note in first.notes] == ["Duplicates: 2 of 24 images repeat another one (2 n"]
    assert first.series[0].measured.sizes.tolist() == [1, 2, 3, 5, 7, 9]
    assert first.series[0].measured.accuracy.tolist() == again.series[0].measured.accuracy.tolist()
    assert first.answer == again.answer


def test_few_images_give_points_and_say_why_no_answer(cell_files: dict[str, list[Path]]) -> None:
    files = [*cell_files["functional"][:5], *cell_files["defective"][:5]]
    found = learning_curve(files, ["a"] * 5 + ["b"] * 5, backbones=LITE, random=False)
    assert found.series[0].curve is None
    assert found.series[0].measured.sizes.tolist() == [1, 2, 3, 4]
    assert found.answer.verdict == "too few sizes"
    assert found.ahead == {}


@pytest.mark.parametrize("images", [2, 3, 4])
def test_fewer_than_five_images_a_class_give_points_too(images: int, cell_files: dict[str, list[Path]]) -> None:
    files = [*cell_files["functional"][:images], *cell_files["defective"][:images]]
    result = learning_curve(files, ["a"] * images + ["b"] * images, backbones=LITE, random=False)
    assert result.series[0].measured.sizes.tolist() == list(range(1, images))
    assert result.answer.verdict == "too few sizes"
    assert f"the smallest class, 'a', has {images} images." in result.answer.sentence


def test_copies_never_lie_on_both_sides(cell_files: dict[str, list[Path]]) -> None:
    """Labels mean nothing here, and every picture is there three times: only a copy could tell its label."""
    files = cell_files["functional"][:20] * 3
    found = learning_curve(files, ["even", "odd"] * 30, backbones=LITE, random=False)
    assert any(note.startswith("Duplicates: 40 of 60 images repeat another one (40 exactly)") for note in found.notes)
    assert found.series[0].measured.accuracy[-1] < 0.75
    assert found.series[0].measured.trials.max() <= 20


def test_a_test_split_takes_no_part(cells: Path, found: Curve) -> None:
    samples = load_dataset(cells).samples
    labels = [samples.classes[i] for i in samples.labels]
    table = cells.with_name("split.csv")
    rows = [
        f"{path},{label},{'test' if i % 5 == 0 else 'train'}"
        for i, (path, label) in enumerate(zip(samples.items, labels, strict=True))
    ]
    table.write_text("\n".join(["path,label,split", *rows]))
    told = learning_curve(table, backbones=LITE, random=False)
    assert sum(told.counts.values()) == 39  # a near copy of an image of the test split is left out
    assert "10 images of the split to be tested on take no part." in told.notes
    assert told.series[0].measured.tested[-1] == 39


def said_without(error: Exception, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said where the same network with random weights cannot be had."""
    pretrained = [open_backbone("lite0")]

    def refuse(name: str) -> None:
        assert name == "random:efficientnet_lite0"
        raise error

    monkeypatch.setattr(random_features, "open_backbone", refuse)
    networks, said = random_features.random_networks(pretrained)
    assert networks == []
    return said


def test_without_torch_random_features_are_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_without(MissingExtra("Converting a backbone", "finetune", "torch"), monkeypatch)
    assert said == ["Random features are left out: making them needs the extra 'finetune' once."]


def test_a_network_without_random_weights_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_without(BackboneError("it has no architecture."), monkeypatch)
    assert said == ["Random features are left out: it has no architecture."]


def test_random_features_learn_less_from_as_many_labels(cell_files: dict[str, list[Path]]) -> None:
    pytest.importorskip("torch")
    files = [*cell_files["functional"][:15], *cell_files["defective"][:15]]
    found = learning_curve(files, ["functional"] * 15 + ["defective"] * 15, backbones=LITE, target=0.9)
    first, second = found.series
    assert second.name == "random"
    assert second.features.startswith("random_efficientnet_lite0-")
    assert second.measured.sizes.tolist() == first.measured.sizes.tolist()
    assert first.measured.accuracy.mean() > second.measured.accuracy.mean()
    assert any(line.startswith("pretraining ") for line in found.summary().splitlines())


def test_wrong_options_and_data_are_refused(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="target must lie between 0"):
        learning_curve(cells, target=95)
    with pytest.raises(OptionError, match="seed"):
        learning_curve(cells, seed=-1)
    with pytest.raises(DataError, match="only one class"):
        learning_curve([np.zeros((8, 8, 3), np.uint8)] * 3, ["a"] * 3, random=False)
