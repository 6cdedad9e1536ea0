"""The audit's page holds all that it shows, runs nothing, loads nothing, and takes names as words."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from tests.report.test_drift import HOSTILE, Checked

from headstart.report.audit_sections import Section, Shown, audit_page, bars, reasons
from headstart.report.galleries import Family, Named, Question, Shot, Typical, families, questions, shots

SAFE = HOSTILE.replace("\x1b", "\\x1b")


def pixels(shade: int) -> np.ndarray:
    return np.full((40, 60, 3), shade, np.uint8)


def shown(name: str = "cat") -> Shown:
    shot = Shot(pixels(90), [Named(name, name)], f"Words on {name}.")
    question = Question(
        shot, Typical("labelled", name, [pixels(1)]), Typical("suggested", "dog", [pixels(2)]), f"It is {name}."
    )
    bodies = (
        families([Family([shot, Shot(pixels(40), [Named(name, "dog")])])]),
        questions([question]),
        shots([shot]),
        reasons([(name, f"It cannot be read: {name}.")]),
        bars([(name, 40, False), ("dog", 2, True)]),
    )
    sections = [Section(f"kind {i}", i + 1, "look at", [f"On {name}."], body, left=37) for i, body in enumerate(bodies)]
    return Shown(
        heading=f"Audit of {name}",
        headline="3 images to leave out",
        look="bad",
        sentences=[f"Sentence on {name}."],
        facts=[("images", "1,000", name)],
        sections=sections,
        advice=[f"Look at {name}."],
        commands=[f"headstart audit {name}", "headstart train DATA"],
        notes=[f"Note on {name}."],
    )


def test_it_says_what_was_found_what_to_do_and_where_the_rest_is() -> None:
    text = audit_page(shown())
    found = Checked(text)
    assert "<h1>3 images to leave out</h1>" in text
    assert "<pre>headstart audit cat\nheadstart train DATA</pre>" in text
    assert "And 37 more: --csv all.csv lists every finding." in found.words
    assert [each["href"] for each in found.all("a")] == [f"#kind-{i}" for i in range(5)]
    assert [each["id"] for each in found.all("h2") if "id" in each] == [f"kind-{i}" for i in range(5)]
    for words in ("Sentence on cat.", "Look at cat.", "Note on cat.", "Words on cat.", "It is cat."):
        assert words in found.words


def test_it_needs_nothing_besides_itself() -> None:
    text = audit_page(shown())
    found = Checked(text)
    assert len(found.all("img")) == 6
    assert all(str(each["src"]).startswith("data:image/jpeg;base64,") for each in found.all("img"))
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in found.found}
    assert "url(" not in text
    assert text.count("http") == 1  # the policy's http-equiv
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text


def test_a_hostile_name_is_words_wherever_it_stands() -> None:
    text = audit_page(shown(HOSTILE))
    found = Checked(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    for words in (f"Sentence on {SAFE}.", f"Look at {SAFE}.", f"It cannot be read: {SAFE}.", f"It is {SAFE}."):
        assert words in found.words
    assert found.all("img")[0]["alt"] == SAFE


def test_a_picture_under_several_names_is_drawn_once_and_names_each_class_once() -> None:
    names = [Named("cat/1_a.png", "cat"), Named("cat/2.png", "cat"), Named("dog/1.png", "dog")]
    text = families([Family([Shot(pixels(9), names, more=1)], more=12)])
    found = Checked(text)
    assert len(found.all("img")) == 1
    assert text.count("<b>cat</b>") == text.count("<b>dog</b>") == 1
    assert "cat/<wbr>1_<wbr>a.png" in text
    assert "and 1 more name" in found.words
    assert "and 12 more" in found.words


def test_pictures_are_small() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    (picture,) = Checked(shots([Shot(noise, [Named("noise")])])).all("img")
    with Image.open(io.BytesIO(base64.b64decode(str(picture["src"]).partition(",")[2]))) as found:
        assert found.size == (208, 139)


def test_a_picture_that_is_gone_leaves_its_name_and_the_reason(tmp_path: Path) -> None:
    gone = tmp_path / "gone.png"
    for text in (
        families([Family([Shot(gone, [Named("a/gone.png", "cat")])])]),
        questions([Question(Shot(gone, [Named("x")]), Typical("labelled", "cat", [gone]), Typical("s", "d", []), "")]),
    ):
        assert "<img" not in text
        assert "It cannot be read any more: there is no such file." in text


def test_a_class_of_which_no_picture_is_sure_says_so() -> None:
    shot = Shot(pixels(9), [Named("x")])
    text = questions([Question(shot, Typical("labelled", "cat", []), Typical("suggested", "dog", [pixels(1)]), "It.")])
    assert text.count("no sure picture of it") == 1
    assert len(Checked(text).all("img")) == 2


def test_a_class_without_images_has_an_empty_bar() -> None:
    assert 'class="bar before" style="width: 0.00rem"' in bars([("cat", 0, False)])
