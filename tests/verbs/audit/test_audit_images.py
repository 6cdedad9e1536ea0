"""Which pictures of an audit its page shows, and beside which."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.report.test_drift import Checked

from headstart.data.sources.load import load_dataset
from headstart.errors import OptionError
from headstart.metrics.intervals import Estimate
from headstart.pipeline.probe import AccuracyClaims
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.report.audit import audit_html
from headstart.report.write import write_report
from headstart.verbs.audit.audit import audit
from headstart.verbs.audit.findings import (
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    LOOK,
    MISLABEL,
    NEAR,
    UNREADABLE,
    Audit,
    Finding,
    sort_findings,
)


def samples(number: int, labels: Sequence[int] | None = None, content: Sequence[str] | None = None) -> Samples:
    return Samples(
        items=tuple(np.full((8, 8), row, np.uint8) for row in range(number)),
        names=tuple(f"{row}.png" for row in range(number)),
        content=tuple(content or map(str, range(number))),
        target=Classes(np.array([0] * number if labels is None else labels), ("cat", "dog")),
    )


def audited(
    some: Samples, findings: Sequence[Finding], claims: AccuracyClaims | None = None, **typical: tuple[int, ...]
) -> Audit:
    return Audit(
        len(some),
        some.counts(),
        sort_findings(iter(findings)),
        np.arange(len(some)),
        claims,
        ("A note.",),
        some,
        typical,
    )


def near(row: int, other: int, alike: float, group: int) -> Finding:
    words = f"It is a near copy of {other}.png."
    return Finding(f"{row}.png", NEAR, words, alike, "group", str(group), f"{other}.png", row=row, other=other)


def pictures(text: str) -> list[str]:
    return [str(each["alt"]) for each in Checked(text).all("img")]


def test_nothing_found_is_said() -> None:
    text = audit_html(audited(samples(3), []), data="photos", shown=24)
    assert "<h1>Nothing was found that would spoil a model or its measurement</h1>" in text
    assert "<pre>headstart train photos</pre>" in text
    assert '<div class="verdict good">' in text
    assert "A note." in text
    assert pictures(text) == []


def test_the_headline_counts_images_by_what_is_to_be_done() -> None:
    findings = [
        Finding("0.png", UNREADABLE, "It cannot be read: it is damaged.", 1.0, "exclude", row=0),
        near(2, 1, 0.95, 1),
        Finding("3.png", "blurred", "It is blurred.", 0.5, LOOK, row=3),
        Finding("3.png", "tiny", "It is tiny.", 0.5, LOOK, row=3),
        Finding("dog", IMBALANCE, "It has 1 image.", 0.9, LOOK),
    ]
    claims = AccuracyClaims(Estimate(0.97, 0.95, 0.98), Estimate(0.9, 0.87, 0.92))
    text = audit_html(audited(samples(4), findings, claims), data="my photos", shown=24)
    assert (
        "<h1>1 image to leave out, 1 image that repeats another, 1 image to look at, 1 class with few images</h1>"
    ) in text
    assert "Folds that separate duplicates would claim 97.0 % (95.0–98.0) accuracy for a linear probe" in text
    assert "headstart audit &#39;my photos&#39; --fix plan.csv" in text
    assert "headstart train &#39;my photos&#39; --exclude plan.csv" in text
    assert '<div class="verdict bad">' in text
    assert pictures(text) == ["1.png", "2.png", "3.png", "3.png"]


def test_at_most_so_many_pictures_of_a_kind_the_most_severe_first_and_the_rest_is_counted() -> None:
    findings = [Finding(f"{row}.png", "blurred", "It is blurred.", row / 10, LOOK, row=row) for row in range(6)]
    text = audit_html(audited(samples(6), findings), data="", shown=2)
    assert pictures(text) == ["5.png", "4.png"]
    assert "And 4 more: --csv all.csv lists every finding." in text
    assert "headstart audit DATA --fix plan.csv" in text


def test_of_many_near_copies_a_third_of_the_pictures_are_the_least_sure() -> None:
    findings = [near(2 * pair + 1, 2 * pair, 0.99 - pair / 100, pair) for pair in range(9)]
    text = audit_html(audited(samples(18), findings), data="", shown=6)
    assert pictures(text) == ["0.png", "1.png", "2.png", "3.png", "16.png", "17.png"]
    assert text.index("The surest") < text.index("2.png") < text.index("The least sure") < text.index("16.png")
    assert "And 6 more" in text
    assert "alike 0.91" in text
    assert "The least sure" not in audit_html(audited(samples(18), findings), data="", shown=24)


def test_a_large_family_is_cut_and_counted() -> None:
    findings = [near(row, 0, 0.95, 1) for row in range(1, 10)]
    text = audit_html(audited(samples(10), findings), data="", shown=24)
    assert len(pictures(text)) == 6
    assert "and 4 more" in text
    assert len(pictures(audit_html(audited(samples(10), findings), data="", shown=1))) == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=12), st.integers(1, 30), st.randoms(use_true_random=False))
def test_there_are_never_more_pictures_of_copies_than_asked_for(sizes: list[int], shown: int, drawn: Random) -> None:
    starts = np.cumsum([0, *sizes])
    findings = [
        near(first + place, first, drawn.uniform(0.9, 1), group)
        for group, (first, size) in enumerate(zip(starts.tolist(), sizes, strict=False))
        for place in range(1, size)
    ]
    assert 1 <= len(pictures(audit_html(audited(samples(sum(sizes)), findings), data="", shown=shown))) <= shown


def test_equal_bytes_under_two_classes_are_one_picture_with_both() -> None:
    some = samples(2, [0, 1], "aa")
    findings = [
        Finding(f"{row}.png", CONTRADICTION, "It is.", 1.0, "exclude", "1", f"{1 - row}.png", row=row, other=1 - row)
        for row in (0, 1)
    ]
    text = audit_html(audited(some, findings), data="", shown=24)
    assert len(pictures(text)) == 1
    assert text.count("<b>cat</b>") == text.count("<b>dog</b>") == 1


def test_a_doubtful_label_stands_beside_sure_pictures_of_both_classes() -> None:
    wrong = Finding("0.png", MISLABEL, "It is labelled 'cat'.", 0.9, LOOK, row=0, suggested="dog")
    some = samples(4, [0, 0, 1, 1])
    text = audit_html(audited(some, [wrong], cat=(1,), dog=(2, 3)), data="", shown=24)
    assert pictures(text) == ["0.png", "cat", "dog", "dog"]
    assert "labelled <b>cat</b>" in text
    assert "suggested <b>dog</b>" in text


def test_of_many_classes_the_largest_and_the_smallest_are_drawn() -> None:
    labels = np.repeat(np.arange(6), [6, 5, 4, 3, 2, 1])
    some = replace(samples(21), target=Classes(labels, tuple("abcdef")))
    text = audit_html(audited(some, [Finding("f", IMBALANCE, "It has 1 image.", 0.9, LOOK)]), data="", shown=2)
    assert [each["title"] for each in Checked(text).all("th") if "title" in each] == ["a", "e", "f"]
    assert text.count('class="bar now"') == 1


def test_fewer_pictures_than_one_are_refused() -> None:
    with pytest.raises(OptionError, match="shown must be at least 1; found 0"):
        audit_html(audited(samples(1), []), data="", shown=0)


@pytest.fixture(scope="module")
def found(cell_files: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Photographs with an exact copy, a turned one, a black and a broken file."""
    root = tmp_path_factory.mktemp("pictures")
    for name, files in cell_files.items():
        (root / name).mkdir()
        for file in files[:12]:
            (root / name / file.name).write_bytes(file.read_bytes())
    first = cell_files["functional"][0]
    (root / "functional" / "same.png").write_bytes(first.read_bytes())
    with Image.open(cell_files["defective"][0]) as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(root / "defective" / "turned & <b>.png")
    Image.new("L", (300, 300), 2).save(root / "defective" / "black.png")
    (root / "defective" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return audit(load_dataset(root))


def test_an_audit_is_written_as_one_small_page(found: Audit, tmp_path: Path) -> None:
    write_report(found, str(tmp_path / "new" / "audit.html"), data="cells")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["audit.html"]
    text = (tmp_path / "new" / "audit.html").read_text()
    assert len(text) < 500_000
    shown = Checked(text)
    assert "Audit of cells: 28 images of 2 classes" in shown.words
    assert "defective/broken.png" in shown.words
    for name in ("functional/<wbr>same.png", "defective/<wbr>turned &amp; &lt;b&gt;.png", "defective/<wbr>black.png"):
        assert f'<span class="path">{name}</span>' in text


def test_every_finding_says_which_image_it_is_and_keeps_its_words_as_json(found: Audit) -> None:
    for each in found.findings:
        if each.kind != IMBALANCE:
            assert found.samples.names[each.row] == each.name
        if each.of:
            assert found.samples.names[each.other] == each.of
    assert set(found.to_dict()["findings"][0]) == {
        *("name", "kind", "sentence", "severity", "proposal", "group", "of", "row", "other", "suggested")
    }


def test_sure_pictures_are_of_their_class_and_none_is_doubtful(found: Audit) -> None:
    doubtful = {each.row for each in found.of(MISLABEL)}
    assert set(found.typical) == {"defective", "functional"}
    for name, rows in found.typical.items():
        assert 0 < len(rows) <= 2
        assert all(found.samples.classes[found.samples.labels[row]] == name for row in rows)
        assert not doubtful & set(rows)


def test_pictures_that_have_gone_since_leave_the_page_whole(found: Audit, tmp_path: Path) -> None:
    gone = replace(found.samples, items=tuple(tmp_path / name for name in found.samples.names))
    text = audit_html(replace(found, samples=gone), data="cells", shown=24)
    assert pictures(text) == []
    assert "It cannot be read any more: there is no such file." in text
    assert len(found.of(EXACT)) == 1


def test_data_that_no_model_can_be_trained_on_are_not_called_good() -> None:
    why = "there is only one class, 'cat' (3 images): at least two are needed to tell apart."
    text = audit_html(replace(audited(samples(3), []), hindrance=why), data="photos", shown=24)
    assert "<h1>No model can be trained on these images yet</h1>" in text
    assert "there is only one class, &#39;cat&#39; (3 images)" in text
    assert "headstart train photos" not in text
    assert "<pre>" not in text
    assert '<div class="verdict bad">' in text
