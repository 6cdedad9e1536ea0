"""The audit's page holds all that it shows, runs nothing, loads nothing, and takes names as words."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.test_drift import HOSTILE, SAFE, Checked

from headstart.metrics.intervals import Estimate
from headstart.pipeline.probe import AccuracyClaims
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.report.audit import audit_html
from headstart.verbs.audit.findings import (
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    LEAK,
    LOOK,
    MISLABEL,
    NEAR,
    UNREADABLE,
    Audit,
    Finding,
    sort_findings,
)

CLAIMS = AccuracyClaims(Estimate(0.97, 0.95, 0.98), Estimate(0.9, 0.87, 0.92))


def samples(name: str) -> Samples:
    """Nine images of two classes, in splits; the first two have the same bytes."""
    return Samples(
        items=tuple(np.full((40, 60, 3), 20 * row, np.uint8) for row in range(9)),
        names=tuple(f"{row} {name}" for row in range(9)),
        content=tuple("aabcdefgh"),
        target=Classes(np.array([0, 1, 0, 0, 1, 1, 0, 0, -1]), (name, "dog")),
        splits=np.array([name] * 9),
    )


def finding(name: str, kind: str, row: int, *, other: int = -1, group: str = "", proposal: str = LOOK) -> Finding:
    compared = f"{other} {name}" if other >= 0 else ""
    suggested = name if kind == MISLABEL else ""
    sentence = f"Sentence {kind} on {name}."
    return Finding(f"{row} {name}", kind, sentence, 0.9, proposal, group, compared, row, other, suggested)


def audit_result(name: str = "cat", findings: Sequence[Finding] | None = None) -> Audit:
    """A result with a finding of every layout."""
    every = [
        finding(name, UNREADABLE, 7, proposal="exclude"),
        finding(name, CONTRADICTION, 0, other=1, group="1", proposal="exclude"),
        finding(name, LEAK, 2, other=3, group="2", proposal="exclude"),
        finding(name, MISLABEL, 4),
        finding(name, EXACT, 0, other=1, group="1", proposal="group"),
        finding(name, NEAR, 5, other=6, group="3", proposal="group"),
        finding(name, "blurred", 2),
        Finding(name, IMBALANCE, "It has few.", 0.9, LOOK),
    ]
    return Audit(
        images=9,
        counts={name: 5, "dog": 3},
        findings=sort_findings(iter(every if findings is None else findings)),
        groups=np.arange(9),
        claims=CLAIMS,
        notes=(f"Note on {name}.",),
        samples=samples(name),
        typical={name: (2, 3), "dog": (5,)},
    )


def test_it_says_what_was_found_what_to_do_and_where_the_rest_is() -> None:
    result = audit_result(findings=[finding("cat", "blurred", row) for row in range(5)])
    text = audit_html(result, data="my data", shown=3)
    page = Checked(text)
    assert "<h1>5 images to look at</h1>" in text
    assert "<pre>headstart audit &#39;my data&#39; --fix plan.csv\nheadstart train" in text
    assert "And 2 more: --csv all.csv lists every finding." in page.words
    assert "Sentence blurred on cat." in page.words
    assert "Note on cat." in page.words


def test_every_kind_has_a_line_that_leads_to_its_section() -> None:
    result = audit_result()
    page = Checked(audit_html(result))
    kinds = [count.kind.replace(" ", "-") for count in result.summary()]
    assert len(kinds) == 8
    assert [link["href"] for link in page.all("a")] == [f"#{kind}" for kind in kinds]
    assert [heading["id"] for heading in page.all("h2") if "id" in heading] == kinds


def test_it_needs_nothing_besides_itself() -> None:
    text = audit_html(audit_result())
    page = Checked(text)
    assert len(page.all("img")) == 1 + 2 + 1 + 3 + 1 + 2 + 1
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.found}
    assert "url(" not in text
    assert text.count("http") == 1  # the policy's http-equiv
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_hostile_name_is_words_wherever_it_stands() -> None:
    text, plain = (
        audit_html(replace(audit_result(name), hindrance=f"Hindrance {name}"), data=name) for name in (HOSTILE, "cat")
    )
    page = Checked(text)
    # a name may hold places to break a line, and brings no other element
    assert [tag for tag, _ in page.found if tag != "wbr"] == [tag for tag, _ in Checked(plain).found if tag != "wbr"]
    assert "\x1b" not in text
    assert {name for _, attributes in page.found for name in attributes} == {
        *("lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "title", "style", "src", "alt")
    }
    for words in (f"Sentence blurred on {SAFE}.", f"Note on {SAFE}.", f"7 {SAFE}", f"Sentence {UNREADABLE} on {SAFE}."):
        assert words in page.words
    assert f"No model can be trained on these images yet: Hindrance {SAFE}" in page.words
    assert page.all("img")[0]["alt"] == f"1 {SAFE}"
    assert [cell["title"] for cell in page.all("th") if "title" in cell] == [SAFE, "dog"]
    commands = audit_html(audit_result(HOSTILE), data=HOSTILE).partition("<pre>")[2].partition("</pre>")[0]
    assert "<" not in commands
    assert "\x1b" not in commands


def test_an_image_under_several_names_is_drawn_once_and_names_each_class_once() -> None:
    names = tuple(f"cat/{row}_a.png" for row in range(6))
    some = replace(
        samples("cat"),
        names=(*names, "x", "y", "z"),
        content=tuple("aaaaaabcd"),
        target=Classes(np.array([0, 0, 0, 1, 1, 1, 0, 0, 0]), samples("cat").classes),
        splits=None,
    )
    copies = [finding("cat", EXACT, row, other=0, group="1", proposal="group") for row in range(1, 6)]
    text = audit_html(replace(audit_result(findings=copies), samples=some))
    page = Checked(text)
    assert len(page.all("img")) == 1
    assert text.count("<b>cat</b>") == text.count("<b>dog</b>") == 1
    assert "cat/<wbr>1_<wbr>a.png" in text
    assert "and 2 more names" in page.words


def test_duplicates_of_one_doubtful_image_are_one_card() -> None:
    findings = [
        *(finding("cat", MISLABEL, row) for row in (2, 3, 6, 4)),
        *(finding("cat", "blurred", row) for row in (2, 3, 6)),
        *(finding("cat", NEAR, row, other=2, group="1", proposal="group") for row in (3, 6)),
    ]
    page = audit_html(audit_result(findings=findings), shown=1)
    issues = page.partition('id="label-issue"')[2].partition('id="blurred"')[0]
    assert issues.count('<li class="issue">') == 1
    for name in ("2 cat", "3 cat", "6 cat"):
        assert f'<span class="path">{name}</span>' in issues
    assert "And 1 more: --csv all.csv lists every finding." in issues
    blurred = page.partition('id="blurred"')[2].partition("</section>")[0]
    assert blurred.count("<img ") == 1


def test_images_are_small() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    some = replace(samples("cat"), items=(noise,) * 9)
    result = replace(audit_result(findings=[finding("cat", MISLABEL, 0)]), samples=some)
    sizes = []
    for image in Checked(audit_html(result)).all("img"):
        with Image.open(io.BytesIO(base64.b64decode(str(image["src"]).partition(",")[2]))) as file:
            sizes.append(file.size)
    assert sizes == [(208, 139), (112, 75), (112, 75), (112, 75), (112, 75)]


def test_an_image_that_is_gone_leaves_its_name_and_the_reason(tmp_path: Path) -> None:
    some = replace(samples("cat"), items=(tmp_path / "gone.png",) * 9)
    text = audit_html(replace(audit_result(), samples=some))
    assert "<img" not in text
    assert text.count("It cannot be read any more: there is no such file.") == 11
    assert '<span class="path">4 cat</span>' in text


def test_a_class_of_which_no_image_is_sure_says_so() -> None:
    result = replace(audit_result(findings=[finding("cat", MISLABEL, 4)]), typical={"cat": (2, 3)})
    page = Checked(audit_html(result))
    assert page.words.count("no sure image of it") == 1
    assert len(page.all("img")) == 3


@pytest.mark.parametrize("counts", [{"cat": 8, "dog": 0}, {"cat": 0, "dog": 0}])
def test_a_class_without_images_has_an_empty_bar(counts: dict[str, int]) -> None:
    result = replace(audit_result(findings=[Finding("dog", IMBALANCE, "None.", 1.0, LOOK)]), counts=counts)
    assert 'class="bar now" style="width: 0.00rem"' in audit_html(result)
