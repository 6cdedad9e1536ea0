"""Every form of annotations gives the same boxes; what is wrong is named by file and line and never stops the rest."""

import json
from pathlib import Path

import numpy as np
import pytest
from globox import AnnotationSet
from PIL import Image
from pycocotools import mask as coco_mask

from headstart.data.sources.annotations.find import find_form
from headstart.data.sources.annotations.load import load_annotated
from headstart.data.sources.annotations.outlines import outline_mask
from headstart.demo.field import write_fields
from headstart.errors import DataError, OptionError
from headstart.records.boxes import Detections
from headstart.report.box_files import coco_file, voc_files, yolo_files


def picture(path: Path, size: tuple[int, int] = (40, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.as_posix().encode())
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


SEEN = [
    Detections(np.array([[2.0, 3, 10, 12], [20, 5, 40, 20]]), np.array([0.9, 0.8]), np.array([0, 1])),
    Detections.none(),
]
NAMES, SIZES, CLASSES = ("a.png", "b.png"), ((40, 20), (40, 20)), ("cat", "dog")


@pytest.fixture(params=["coco", "yolo", "voc"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """What was detected, written in a form beside its images."""
    folder = "images" if request.param == "yolo" else ""
    for name in NAMES:
        picture(tmp_path / folder / name)
    if request.param == "coco":
        (tmp_path / "objects.json").write_bytes(coco_file(NAMES, SEEN, SIZES, CLASSES))
    else:
        maker = yolo_files if request.param == "yolo" else voc_files
        for name, content in maker(NAMES, SEEN, SIZES, CLASSES).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
    return request.param, tmp_path


def test_what_is_written_is_read_back(written: tuple[str, Path]) -> None:
    form, folder = written
    found = find_form(folder)
    assert found is not None
    assert (found.name, found.task) == (form, "boxes")
    boxes = load_annotated(folder).samples.target
    assert boxes.names == CLASSES
    assert boxes.image.tolist() == [0, 0]
    assert np.allclose(boxes.corners, SEEN[0].corners, atol=0.01)
    assert boxes.objects() == {"cat": 1, "dog": 1}


def test_globox_reads_the_same_boxes_from_voc(written: tuple[str, Path]) -> None:
    form, folder = written
    if form != "voc":
        pytest.skip("one form is enough")
    oracle = AnnotationSet.from_pascal_voc(folder / "Annotations")
    theirs = sorted(
        (box.label, *np.round([box.xmin, box.ymin, box.xmax, box.ymax], 1)) for image in oracle for box in image.boxes
    )
    boxes = load_annotated(folder).samples.target
    ours = sorted(
        (boxes.names[k], *np.round(corners, 1)) for k, corners in zip(boxes.labels, boxes.corners, strict=True)
    )
    assert ours == theirs


def voc(folder: Path, stem: str, *boxes: str, name: str = "cat") -> None:
    picture(folder / f"{stem}.png")
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>"
        "</object>\n"
        for a, b, c, d in (box.split() for box in boxes)
    )
    (folder / f"{stem}.xml").write_text(f"<annotation>\n<filename>{stem}.png</filename>\n{objects}</annotation>")


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ("5 5 5 9", "an empty box, left out: a.xml:4"),
        ("50 5 60 9", "a box outside its image, left out: a.xml:4"),
        ("9 9 5 5", "an inverted box, turned round: a.xml:4"),
        ("5 5 60 9", "a box that reaches beyond its image, cut: a.xml:4"),
        ("x 5 9 9", "a box that is not four numbers, left out: a.xml:4"),
        ("nan 5 9 9", "a box that is not four finite numbers, left out: a.xml:4"),
    ],
)
def test_a_bad_box_is_named_by_file_and_line(tmp_path: Path, box: str, words: str) -> None:
    voc(tmp_path, "a", "1 1 8 8", box)
    notes = load_annotated(tmp_path).notes
    assert any(words in note for note in notes), notes


def test_a_broken_file_is_named_and_its_image_left_out(tmp_path: Path) -> None:
    voc(tmp_path, "a", "1 1 8 8")
    voc(tmp_path, "b", "1 1 8 8")
    (tmp_path / "b.xml").write_text("<annotation>\n<object>")
    dataset = load_annotated(tmp_path)
    assert dataset.samples.names == ("a.png",)
    assert any("b.xml:2" in note and "not well formed" in note for note in dataset.notes)


def test_entities_are_refused(tmp_path: Path) -> None:
    voc(tmp_path, "a", "1 1 8 8")
    voc(tmp_path, "b", "1 1 8 8")
    text = (tmp_path / "b.xml").read_text()
    (tmp_path / "b.xml").write_text(f'<!DOCTYPE lolz [<!ENTITY lol "lol">]>{text}')
    assert any("document type" in note for note in load_annotated(tmp_path).notes)


def test_an_image_without_objects_is_data(tmp_path: Path) -> None:
    voc(tmp_path, "a", "1 1 8 8")
    voc(tmp_path, "b")
    dataset = load_annotated(tmp_path)
    assert len(dataset.samples) == 2
    assert any("1 image without objects: 'b.png'" in note for note in dataset.notes)


def test_names_that_differ_by_a_letter_are_said(tmp_path: Path) -> None:
    voc(tmp_path, "a", "1 1 8 8", name="platelet")
    voc(tmp_path, "b", "1 1 8 8", name="platelets")
    assert any("'platelet' and 'platelets'" in note for note in load_annotated(tmp_path).notes)


def test_bad_yolo_lines_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\nnothing\n7 0.5 0.5 0.2 0.2\n0 0.5\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    notes = " ".join(load_annotated(tmp_path).notes)
    assert "a.txt:2 (nothing)" in notes
    assert "a class number that has no name, left out: a.txt:3" in notes
    assert "a line too short, left out: a.txt:4" in notes


def test_faults_of_coco_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    value = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]},
            {"image_id": 1, "category_id": 9, "bbox": [1, 1, 5, 5]},
            {"image_id": 8, "category_id": 1, "bbox": [1, 1, 5, 5]},
        ],
    }
    (tmp_path / "c.json").write_text(json.dumps(value))
    notes = " ".join(load_annotated(tmp_path).notes)
    assert "a category_id without a category, left out: c.json: annotations[1] (9)" in notes
    assert "an image that is not there, left out: c.json: images[1] (gone.png)" in notes
    assert "annotations of an image that is not listed, left out: c.json: annotations[2]" in notes


def test_broken_json_is_named_by_line(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "c.json").write_text('{\n"images": [,]}')
    with pytest.raises(DataError, match=r"c\.json:2 is no JSON"):
        load_annotated(tmp_path)


def test_run_lengths_equal_pycocotools() -> None:
    mask = np.asfortranarray(np.random.default_rng(0).random((20, 40)) > 0.7, np.uint8)
    packed = coco_mask.encode(mask)
    assert np.array_equal(outline_mask(packed, (40, 20)), mask.astype(bool))


def test_labelme_polygons_become_masks(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    shape = {"label": "cat", "shape_type": "polygon", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": [shape]}))
    masks = load_annotated(tmp_path).samples.target
    assert masks.names == ("background", "cat")
    assert masks.pixels.tolist() == [[700, 100]]


def mask_pair(folder: Path, name: str, labels: np.ndarray) -> None:
    picture(folder / "images" / f"{name}.png", (labels.shape[1], labels.shape[0]))
    (folder / "masks").mkdir(exist_ok=True)
    Image.fromarray(labels).save(folder / "masks" / f"{name}.png")


def test_index_masks_with_void(tmp_path: Path) -> None:
    mask_pair(tmp_path, "a", np.array([[0, 1], [2, 255]], np.uint8))
    masks = load_annotated(tmp_path, void=["2"]).samples.target
    assert masks.names == ("class 0", "class 1")
    assert masks.maps[0].read().tolist() == [[0, 1], [-1, -1]]


def test_colour_masks_with_a_palette(tmp_path: Path) -> None:
    mask_pair(tmp_path, "a", np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 9], [255, 0, 0]]], np.uint8))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nsky,255,0,0\nroad,0,255,0\n")
    dataset = load_annotated(tmp_path)
    assert dataset.samples.target.names == ("sky", "road")
    assert dataset.samples.target.maps[0].read().tolist() == [[0, 1], [-1, 0]]
    assert any("a colour outside the palette, taken as void: masks/a.png (#000009)" in note for note in dataset.notes)


def test_numbers_outside_the_palette_are_named(tmp_path: Path) -> None:
    mask_pair(tmp_path, "a", np.array([[0, 1], [2, 0]], np.uint8))
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    assert any("a number outside the palette, taken as void: masks/a.png" in n for n in load_annotated(tmp_path).notes)


def test_a_mask_of_another_size_is_left_out(tmp_path: Path) -> None:
    mask_pair(tmp_path, "a", np.array([[0, 1], [1, 0]], np.uint8))
    mask_pair(tmp_path, "b", np.array([[0, 1], [1, 0]], np.uint8))
    picture(tmp_path / "images" / "b.png", (5, 5))
    dataset = load_annotated(tmp_path)
    assert dataset.samples.names == ("images/a.png",)
    assert any("the mask is 2 x 2 pixels, its image 5 x 5" in note for note in dataset.notes)


def test_an_unknown_void_is_answered_with_the_right_spelling(tmp_path: Path) -> None:
    mask_pair(tmp_path, "a", np.array([[0, 1]], np.uint8))
    with pytest.raises(OptionError, match="Did you mean 'class 1'"):
        load_annotated(tmp_path, void=["class1"])


def test_drawn_fields_are_boxes_or_masks_as_asked(tmp_path: Path) -> None:
    write_fields(tmp_path, images=4)
    assert load_annotated(tmp_path).samples.target.names == ("disc", "dot", "rod")
    masks = load_annotated(tmp_path, task="masks").samples.target
    assert masks.names == ("background", "disc", "rod", "dot")
    assert masks.pixels.sum() == 4 * 320 * 240


def test_class_folders_are_neither(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "dog" / "b.png")
    assert find_form(tmp_path) is None
