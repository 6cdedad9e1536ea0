"""A batch of images compared with the training images, as one page: what was found, how sure, what to do, and pictures.

Takes a `Drift` with pictures, shares and scores; returns HTML text that needs nothing besides itself. It compares
nothing and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headstart.records.arrays import Floats
from headstart.report.page import Gallery, facts, gallery, page, paragraphs, words
from headstart.report.plots.scores import scores_svg
from headstart.report.plots.svg import GREEN, ORANGE, RED
from headstart.trust.shift.batch_test import BatchTest

_MOST_SHARES = 12


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows besides the test.

    heading: what was compared, in words. name: what the images compared with are called. galleries: side by side.
    scores: how foreign each image is, of the images compared with and of the batch. shares: class name, its share
    among the answers there and here. advice, notes: sentences.
    """

    heading: str
    name: str
    galleries: Sequence[Gallery]
    scores: tuple[Floats, Floats]
    shares: Sequence[tuple[str, float, float]]
    advice: Sequence[str]
    notes: Sequence[str]


def drift_page(found: BatchTest, shown: Shown) -> str:
    """The page's text."""
    return page(f"{_headline(found)}: {shown.heading}", _parts(found, shown))


def _headline(found: BatchTest) -> str:
    if not found.drifted:
        return "No drift found"
    if found.label_shift_only:
        return "Label shift"
    return "This batch differs from training" if found.p_within_classes is None else "Covariate shift"


def _parts(found: BatchTest, shown: Shown) -> Iterator[str]:
    yield f"<header>{paragraphs([shown.heading], 'pale')}"
    yield f'<div class="verdict" style="--mark: {_mark(found)}"><h1>{words(_headline(found))}</h1>'
    yield f"{paragraphs([found.sentence()])}</div></header>"
    yield facts(_facts(found))
    yield f"<h2>What to do</h2>\n{paragraphs(shown.advice)}"
    classes = _shares(shown.shares, shown.name) if shown.shares else ""
    sections = (_galleries(shown), _plot(found, shown), classes)
    yield from (
        sections if not found.label_shift_only else reversed(sections)
    )  # under label shift alone the class shares come first
    if shown.notes:
        yield f"<h2>Notes</h2>\n{paragraphs(shown.notes, 'pale')}"


def _mark(found: BatchTest) -> str:
    if not found.drifted:
        return GREEN
    return ORANGE if found.label_shift_only else RED


def _galleries(shown: Shown) -> str:
    galleries = "\n".join(gallery(each) for each in shown.galleries)
    return f'<div class="sides">\n{galleries}\n</div>'


def _plot(found: BatchTest, shown: Shown) -> str:
    plot = scores_svg(*shown.scores, title="How foreign the images are", name=shown.name)
    return f"<h2>All of it, or a part?</h2>\n{paragraphs([_how_to_read(found)], 'pale')}\n{plot}"


def _facts(found: BatchTest) -> Iterator[tuple[str, str, str]]:
    yield "p-value", f"{found.p:.3f}", f"drift at {found.level:g} or less"
    accuracy = found.balanced_accuracy
    yield (
        "domain classifier",
        f"{100 * accuracy.value:.1f} %",
        f"balanced accuracy ({100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}); 50 % is chance",
    )
    if found.p_within_classes is not None:
        yield "p-value within classes", f"{found.p_within_classes:.3f}", "whether more than the class prior differs"


def _how_to_read(found: BatchTest) -> str:
    read = (
        "How foreign a classifier finds each image that it was not trained on; a bar's height is a share of the images."
    )
    if not found.drifted:
        return f"{read} Here the two sides lie on one another as far as can be told."
    return f"{read} Two heaps apart: the whole batch differs. A tail on the right: some of its images do."


def _shares(shares: Sequence[tuple[str, float, float]], name: str) -> str:
    """The classes answered, those whose shares differ most first."""
    ordered = sorted(shares, key=lambda share: -abs(share[2] - share[1]))[:_MOST_SHARES]
    most = max(max(before, now) for _, before, now in ordered)
    rows = "\n".join(_share(*share, most) for share in ordered)
    left = len(shares) - len(ordered)
    more = paragraphs([f"{left:,} more differ less."], "pale") if left else ""
    told = "How often each class is answered. In the batch these are the model's answers, which may be wrong."
    return (
        f"<h2>The classes</h2>\n{paragraphs([told], 'pale')}\n<table><thead><tr><th>class</th>"
        f'<th class="share">{words(name)}</th><th class="share">batch</th><th></th></tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table>{more}"
    )


def _share(name: str, before: float, now: float, most: float) -> str:
    def bar(kind: str, share: float) -> str:
        return f'<span class="bar {kind}" style="width: {16 * share / most:.2f}rem"></span>'

    return (
        f'<tr><th class="name" title="{words(name)}">{words(name)}</th><td class="share">{100 * before:.1f} %</td>'
        f'<td class="share">{100 * now:.1f} %</td><td>{bar("before", before)}{bar("now", now)}</td></tr>'
    )
