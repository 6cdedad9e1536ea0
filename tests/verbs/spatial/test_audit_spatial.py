"""The audit of boxes and masks: each kind of fault is put into drawn fields, and found."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import headstart
from headstart.cli.main import headstart as command
from headstart.demo.field import write_fields
from headstart.errors import OptionError
from headstart.verbs.spatial.audit import SpatialAudit


def edit(folder: Path, number: int, old: str, new: str) -> None:
    path = folder / "Annotations" / f"field_{number:04d}.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def add_object(folder: Path, number: int, name: str, *sides: int) -> None:
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{tag}>{side}</{tag}>" for tag, side in zip(tags, sides, strict=True))
    edit(folder, number, "</annotation>", f"<object><name>{name}</name><bndbox>{box}</bndbox></object></annotation>")


def repeat(folder: Path, number: int, name: str, split: str) -> None:
    shutil.copy(folder / "JPEGImages" / f"field_{number:04d}.jpg", folder / "JPEGImages" / f"{name}.jpg")
    text = (folder / "Annotations" / f"field_{number:04d}.xml").read_text()
    (folder / "Annotations" / f"{name}.xml").write_text(text.replace(f"field_{number:04d}", name))
    listed = folder / "ImageSets" / "Main" / f"{split}.txt"
    listed.write_text(f"{listed.read_text().rstrip()}\n{name}\n")


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images to learn from, too few to look for missing objects, which is dear."""
    folder = write_fields(tmp_path_factory.mktemp("spoilt") / "data", images=8)
    repeat(folder, 6, "twin", "test")
    repeat(folder, 7, "copy", "train")
    repeat(folder, 2, "other", "train")
    (folder / "Annotations" / "other.xml").write_text(
        (folder / "Annotations" / "field_0003.xml").read_text().replace("field_0003", "other")
    )
    add_object(folder, 4, "bubble", 100, 100, 90, 90)
    add_object(folder, 4, "bubbles", 10, 10, 13, 13)
    add_object(folder, 5, "bubble", 400, 10, 420, 30)
    return folder


@pytest.fixture(scope="module")
def audit(spoilt: Path) -> SpatialAudit:
    result = headstart.audit(spoilt, cache=False)
    assert isinstance(result, SpatialAudit)
    return result


def named(audit: SpatialAudit, kind: str) -> list[str]:
    return [finding.name.rpartition("/")[2] for finding in audit.kinds().get(kind, ())]


def test_a_picture_on_both_sides_of_the_split_is_named(audit: SpatialAudit) -> None:
    (finding,) = audit.kinds()["same picture in two splits"]
    assert finding.name.endswith("twin.jpg")
    assert "field_0006.jpg, which is in train" in finding.sentence


def test_a_repeated_picture_is_told_from_one_with_other_labels(audit: SpatialAudit) -> None:
    assert named(audit, "repeated picture") == ["field_0007.jpg"]
    assert named(audit, "repeated with other labels") == ["other.jpg"]


def test_faults_are_named_by_file_and_line(audit: SpatialAudit) -> None:
    faults = [f for kind, found in audit.kinds().items() for f in found if ".xml" in f.name]
    assert {f.name.partition(".xml")[0].rpartition("/")[2] for f in faults} == {"field_0004", "field_0005"}
    assert audit.headline().startswith("2 faults in the annotations")


def test_names_alike_and_few_objects_are_named(audit: SpatialAudit) -> None:
    assert [f.name for f in audit.kinds()["class names alike"]] == ["bubble / bubbles"]
    assert {"bubble", "bubbles"} <= set(named(audit, "few of a class"))


def test_objects_smaller_than_a_cell_are_named(audit: SpatialAudit) -> None:
    assert named(audit, "very small objects") == ["field_0004.jpg"]


def test_what_was_not_looked_for_is_said(audit: SpatialAudit) -> None:
    assert "Missing objects were not looked for" in " ".join(audit.notes)


def test_the_command_says_the_answer_first_and_writes_all(spoilt: Path, tmp_path: Path) -> None:
    words = ["audit", str(spoilt), "--csv", str(tmp_path / "all.csv"), "--no-cache"]
    output = CliRunner().invoke(command, words, catch_exceptions=False).stdout
    assert output.startswith("result     2 faults in the annotations, same picture in two splits (1)")
    assert (tmp_path / "all.csv").read_text().startswith("name,kind,score,sentence\n")


def test_void_is_no_class_of_masks(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(3):
        Image.new("RGB", (64, 48), (number * 60, 90, 120)).save(tmp_path / "images" / f"{number}.png")
        mask = Image.new("L", (64, 48), 0)
        mask.paste(1, (0, 0, 20, 20))
        mask.paste(11, (30, 30, 50, 40))
        mask.save(tmp_path / "masks" / f"{number}.png")
    output = CliRunner().invoke(command, ["audit", str(tmp_path), "--void", "11", "--json"], catch_exceptions=False)
    assert list(json.loads(output.stdout)["classes"].values()) == [3, 3]
    refused = CliRunner().invoke(command, ["audit", str(tmp_path), "--void", "sky"])
    assert refused.exit_code == 2 or isinstance(refused.exception, OptionError)


def test_void_means_nothing_for_boxes(spoilt: Path) -> None:
    with pytest.raises(OptionError, match=r"--void is about masks, and .* holds boxes: leave it out"):
        CliRunner().invoke(
            command, ["audit", str(spoilt), "--void", "1"], catch_exceptions=False, standalone_mode=False
        )
