"""Templates: they travel with the package, escape every value, and refuse a name that nobody gives."""

import base64
import importlib.resources
import io
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from headstart.errors import UnreadableImage
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.report import page
from headstart.report.inline_images import data_uri, inline_image
from headstart.report.page import render, rows_by_place

BASE = {"heading": "a < b", "headline": "Found", "verdict": "good", "facts": [("one", "<2>", "\x1b")]}


def test_the_templates_lie_in_the_package() -> None:
    files = importlib.resources.files("headstart.report") / "templates"
    assert {file.name for file in files.iterdir()} == {
        *("base.html", "macros.html", "audit.html", "drift.html", "evaluation.html", "spatial.html", "style.css")
    }
    assert {file.name for file in page.TEMPLATES.iterdir()} == {file.name for file in files.iterdir()}


def test_no_template_marks_a_value_as_safe() -> None:
    for template in page.TEMPLATES.iterdir():
        assert "|safe" not in template.read_text().replace(" ", "")
        assert "autoescape" not in template.read_text()


def test_a_page_is_a_whole_document_with_every_value_escaped() -> None:
    text = render("base.html", BASE)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>Found: a &lt; b</title>" in text
    assert "<dd>&lt;2&gt; <small>\\x1b</small></dd>" in text
    assert text.endswith("</html>\n")


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'headline' is undefined"):
        render("base.html", {name: value for name, value in BASE.items() if name != "headline"})


def test_an_image_is_a_small_jpeg_that_keeps_its_shape_and_turn(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), (200, 10, 10)).save(tmp_path / "turned.jpg", exif=exif)
    uri = data_uri(tmp_path / "turned.jpg", 256)
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert (image.format, image.size) == ("JPEG", (128, 256))
        assert image.getpixel((60, 100))[0] > 190


def test_an_image_that_is_gone_leaves_the_reason(tmp_path: Path) -> None:
    assert inline_image(tmp_path / "gone.png", 256) == ("", "there is no such file")
    with pytest.raises(UnreadableImage):
        data_uri(tmp_path / "gone.png", 256)


def test_rows_stand_under_their_class_and_split() -> None:
    some = Samples(
        items=(np.zeros((2, 2), np.uint8),) * 4,
        names=tuple("abcd"),
        content=tuple("abcd"),
        target=Classes(np.array([0, 0, 1, -1]), ("cat", "dog")),
        splits=np.array(["train", "test", "test", "test"]),
    )
    assert rows_by_place(some, [0, 1, 2, 3]) == [
        *(("cat, train", [0]), ("cat, test", [1]), ("dog, test", [2]), ("no class, test", [3]))
    ]
