"""The page holds all that it shows, runs nothing, loads nothing, and takes names as words."""

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.metrics.intervals import Estimate
from headstart.report.drift import Shown, drift_page
from headstart.report.page import Gallery, Picture, data_uri, gallery, page, words
from headstart.report.plots.scores import scores_svg
from headstart.trust.shift.batch_test import BatchTest
from headstart.trust.shift.two_sample import TwoSample

VOID = {"meta", "img", "rect", "polyline", "polygon", "circle", "wbr"}
HOSTILE = "<script>alert('x')</script>\" onerror=\"x\x1b[31m.png"


class Checked(HTMLParser):
    """Collects elements, attributes and words; every element must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def picture(shade: int = 90, name: str = "cat/one.png") -> Picture:
    return Picture(np.full((40, 60, 3), shade, np.uint8), name, "cat, 99.0 %")


def result(p: float, within: float | None = None) -> BatchTest:
    test = TwoSample(p, p, p, 0.9, 0.1, np.array([0.1, 0.2, 0.8], np.float32), np.array([0, 1, 0]))
    apart = Estimate(0.91, 0.85, 0.95, "balanced-accuracy")
    return BatchTest(p, apart, test, np.array([0]), np.array([1]), within, 0.05, 1, 2)


def shown(name: str = "cat/one.png") -> Shown:
    return Shown(
        heading=f"Model {name}: 1 new image",
        name="training",
        galleries=(
            Gallery(f"Foreign {name}", "Words.", [picture(name=name), picture(10, name)]),
            Gallery("Usual", "Words.", [picture(200)]),
        ),
        scores=(np.array([0.1, 0.2], np.float32), np.array([0.8], np.float32)),
        shares=[(name, 0.5, 0.0), ("dog", 0.5, 1.0)],
        advice=[f"Label {name}."],
        notes=[f"Note on {name}."],
    )


def test_it_says_what_was_found_how_sure_that_is_and_what_to_do() -> None:
    found = Checked(drift_page(result(0.001, 0.002), shown()))
    assert "Covariate shift" in found.words
    assert "0.001" in found.words
    assert "91.0 %" in found.words
    assert "0.002" in found.words
    assert "Label cat/one.png." in found.words
    assert "Note on cat/one.png." in found.words
    assert len(found.all("img")) == 3


def test_the_headline_follows_the_finding() -> None:
    assert "<h1>No drift found</h1>" in drift_page(result(0.4), shown())
    text = drift_page(result(0.01, 0.6), shown())
    assert "<h1>Label shift</h1>" in text
    assert text.index("<h2>The classes</h2>") < text.index('<ul class="pictures">')
    text = drift_page(result(0.01, 0.01), shown())
    assert text.index("<h2>The classes</h2>") > text.index('<ul class="pictures">')


def test_it_needs_nothing_besides_itself() -> None:
    text = drift_page(result(0.001), shown())
    found = Checked(text)
    assert all(str(each["src"]).startswith("data:image/jpeg;base64,") for each in found.all("img"))
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in found.found}
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    assert "url(" not in text
    assert text.count("http") == 2  # the policy's http-equiv, and the name of SVG's elements
    (policy,) = (each["content"] for each in found.all("meta") if "http-equiv" in each)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_hostile_name_is_words_wherever_it_stands() -> None:
    text = drift_page(result(0.001, 0.001), shown(HOSTILE))
    found = Checked(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert not any("onerror" in attributes for _, attributes in found.found)
    assert f"Label {HOSTILE.replace(chr(27), chr(92) + 'x1b')}." in found.words
    assert found.all("img")[0]["alt"] == HOSTILE.replace("\x1b", "\\x1b")


def test_a_picture_is_a_small_jpeg_that_keeps_its_shape_and_turn(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), (200, 10, 10)).save(tmp_path / "turned.jpg", exif=exif)
    uri = data_uri(tmp_path / "turned.jpg")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as found:
        assert (found.format, found.size) == ("JPEG", (128, 256))
        assert found.getpixel((60, 100))[0] > 190


def test_a_picture_that_is_gone_leaves_its_name_and_the_reason(tmp_path: Path) -> None:
    text = gallery(Gallery("Gone", "Words.", [Picture(tmp_path / "gone.png", "a/gone.png", "cat")]))
    assert "<img" not in text
    assert "It cannot be read any more: there is no such file." in text
    assert ">gone.png</span>" in text


def test_a_page_is_a_whole_document() -> None:
    text = page("a < b", ["<p>part</p>"])
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>a &lt; b</title>" in text
    assert text.rstrip().endswith("</html>")
    assert words("&<") == "&amp;&lt;"


def test_the_plot_draws_both_sides_from_one_line_and_survives_equal_scores() -> None:
    text = scores_svg(np.array([0.0, 0.0, 1.0], np.float32), np.array([1.0], np.float32), title="T", name="reference")
    assert "reference images (3)" in text
    assert "the batch (1)" in text
    heights = [float(points.split()[1].partition(",")[2]) for points in text.split('polygon points="')[1:]]
    assert heights == pytest.approx([134 - 84 * 2 / 3, 134 - 84 / 3, 134 + 84])
    assert "nan" not in scores_svg(np.zeros(3, np.float32), np.zeros(2, np.float32), title="T")
