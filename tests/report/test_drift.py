"""The page holds all that it shows, runs nothing, loads nothing, and takes names as words."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import OptionError
from headstart.metrics.intervals import Estimate
from headstart.records.predictions import Predictions
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.report.drift import drift_html
from headstart.report.plots.scores import scores_svg
from headstart.trust.shift.batch_test import BatchTest, ReferenceSample
from headstart.trust.shift.two_sample import TwoSample
from headstart.verbs.drift.drift import BatchDrift
from headstart.verbs.drift.reference import Comparison

VOID = {"meta", "img", "rect", "polyline", "polygon", "circle", "wbr"}
HOSTILE = "<script>alert('x')</script>\" onerror=\"x\x1b[31m {{ 7 * 7 }} &amp; .png"
SAFE = HOSTILE.replace("\x1b", "\\x1b")
"""As a reader sees it."""


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


def batch_test(p: float, within: float | None = None) -> BatchTest:
    test = TwoSample(p, p, p, 0.9, 0.1, np.array([0.1, 0.2, 0.8, 0.7], np.float32), np.array([0, 1, 0, 1]))
    accuracy = Estimate(0.91, 0.85, 0.95, "balanced-accuracy")
    return BatchTest(p, accuracy, test, np.array([0, 1]), np.array([1]), within, 0.05, 2, 2)


def samples(names: tuple[str, ...], *, labelled: bool = False) -> Samples:
    return Samples(
        items=tuple(np.full((40, 60, 3), 90, np.uint8) for _ in names),
        names=names,
        content=names,
        target=Classes(np.full(len(names), 0 if labelled else -1), (names[0], "dog") if labelled else ()),
    )


def drift_result(
    p: float, within: float | None = None, *, name: str = "cat/one.png", reference: bool = True, classes: int = 2
) -> BatchDrift:
    """A batch of two images beside two of training; every name and sentence holds `name`."""
    rows = ReferenceSample(np.zeros((2, 3), np.float16), 1.0, np.arange(2), np.arange(2))
    images = samples((name, f"2 {name}"), labelled=True) if reference else None
    compared = Comparison(rows, np.array([0, 1]), images, f"images of {name}", True, frozenset())
    batch = samples((f"new/{name}", f"new/2 {name}"))
    names = (name, *(f"class {number}" for number in range(1, classes)))
    probabilities = np.full((2, classes), 0.1 / (classes - 1), np.float32)
    probabilities[:, 1] = 0.9
    predictions = Predictions(batch.names, names, probabilities)
    notes = (f"Note on {name}.",)
    return BatchDrift(batch_test(p, within), batch, predictions, compared, (), 2, Path("models") / "tidy", notes)


def test_it_says_what_was_found_how_sure_that_is_and_what_to_do() -> None:
    result = drift_result(0.001, 0.002)
    page = Checked(drift_html(result))
    assert "This batch comes from elsewhere" in page.words
    assert "Model tidy: 2 new images, compared with images of cat/one.png" in page.words
    assert result.sentence() in page.words
    assert "0.001" in page.words
    assert "91.0 %" in page.words
    assert "0.002" in page.words
    assert set(result.advice()) <= set(page.words)
    assert "Note on cat/one.png." in page.words
    assert [image["alt"] for image in page.all("img")] == ["new/cat/one.png", "new/2 cat/one.png", "2 cat/one.png"]
    assert page.words.count("class 1, 90.0 %") == 2


def test_the_headline_follows_the_finding() -> None:
    text = drift_html(drift_result(0.4))
    assert "<h1>No drift found</h1>" in text
    assert '<div class="verdict good">' in text
    assert "Here the two sides lie on one another as far as can be told." in text
    text = drift_html(drift_result(0.01, 0.6))
    assert "<h1>Label shift: the classes come in other shares</h1>" in text
    assert '<div class="verdict look">' in text
    assert text.index("<h2>The classes</h2>") < text.index('<ul class="images">')
    text = drift_html(drift_result(0.01, 0.01))
    assert '<div class="verdict bad">' in text
    assert text.index("<h2>The classes</h2>") > text.index('<ul class="images">')


def test_without_reference_images_the_most_usual_of_the_batch_stand_beside() -> None:
    page = Checked(drift_html(drift_result(0.001, reference=False)))
    assert "In the batch, most like training" in page.words
    assert [image["alt"] for image in page.all("img")] == [
        *("new/cat/one.png", "new/2 cat/one.png"),
        *("new/2 cat/one.png", "new/cat/one.png"),
    ]


def test_fewer_images_are_shown_where_fewer_are_asked_for() -> None:
    assert len(Checked(drift_html(drift_result(0.001, reference=False), shown=1)).all("img")) == 2
    with pytest.raises(OptionError, match="shown must be at least 1; found 0"):
        drift_html(drift_result(0.001), shown=0)


def test_of_many_classes_those_whose_share_changed_most_are_named() -> None:
    page = Checked(drift_html(drift_result(0.001, classes=15)))
    assert [cell["title"] for cell in page.all("th") if "title" in cell][:2] == ["cat/one.png", "class 1"]
    assert len([cell for cell in page.all("th") if "title" in cell]) == 12
    assert "3 more differ less." in page.words


def test_it_needs_nothing_besides_itself() -> None:
    text = drift_html(drift_result(0.001))
    page = Checked(text)
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.found}
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert "url(" not in text
    assert text.count("http") == 2  # the policy's http-equiv, and the name of SVG's elements
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@pytest.mark.parametrize("within", [0.001, 0.6])
def test_a_hostile_name_is_words_wherever_it_stands(within: float) -> None:
    result = drift_result(0.001, within, name=HOSTILE)
    text = drift_html(result)
    page, plain = Checked(text), Checked(drift_html(drift_result(0.001, within)))
    assert [tag for tag, _ in page.found] == [tag for tag, _ in plain.found]
    assert [set(attributes) for _, attributes in page.found] == [set(attributes) for _, attributes in plain.found]
    assert "\x1b" not in text
    assert f"Note on {SAFE}." in page.words
    assert f"Model tidy: 2 new images, compared with images of {SAFE}" in page.words
    assert page.all("img")[0]["alt"] == f"new/{SAFE}"
    assert SAFE in [cell["title"] for cell in page.all("th") if "title" in cell]


def test_the_plot_draws_both_sides_from_one_line_and_survives_equal_scores() -> None:
    text = scores_svg(np.array([0.0, 0.0, 1.0], np.float32), np.array([1.0], np.float32), title="T", name="reference")
    assert "reference images (3)" in text
    assert "the batch (1)" in text
    heights = [float(points.split()[1].partition(",")[2]) for points in text.split('polygon points="')[1:]]
    assert heights == pytest.approx([134 - 84 * 2 / 3, 134 - 84 / 3, 134 + 84])
    assert "nan" not in scores_svg(np.zeros(3, np.float32), np.zeros(2, np.float32), title="T")
