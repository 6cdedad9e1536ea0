"""The page of a batch compared with the training images: what was found, how sure that is, what to do, and images.

`drift_html` takes a `BatchDrift` and returns the page's text (`templates/drift.html`). It compares nothing and writes
no file.
"""

from __future__ import annotations

from collections.abc import Iterator

from headstart.checks import at_least, quantity
from headstart.data.modality import modality_of
from headstart.records.samples import ImageSource
from headstart.report.numbers import percent
from headstart.report.page import render
from headstart.report.plots.scores import scores_svg
from headstart.verbs.drift.result import BatchDrift

ImageInWords = tuple[ImageSource, str, str]
"""An image, its name and a few words below it."""
Gallery = tuple[str, str, list[ImageInWords]]
"""A title, an explanation and images."""


def drift_html(result: BatchDrift, *, shown: int | None = None, show_texts: bool = False) -> str:
    """The page's text.

    shown: the most images of each side; None for all that the result names. show_texts: whole ones.
    """
    from markupsafe import Markup

    if shown is not None:
        at_least("shown", shown, 1)
    test, name = result.test, result.comparison.name
    plot = scores_svg(result.reference_scores, result.scores, title="How foreign the images are", name=name)
    shares = changed_shares(result)
    headline, verdict = _headline(result)
    galleries = (_most_foreign(result), _to_compare_with(result))
    return render(
        "drift.html",
        {
            "heading": f"Model {result.model.resolve().name}: {quantity(len(result.batch), 'new image')}, compared "
            f"with {result.comparison.words}",
            "headline": headline,
            "verdict": verdict,
            "sentence": result.sentence(),
            "facts": list(_facts(result)),
            "advice": result.advice(),
            "drifted": result.drifted,
            "label_shift": test.label_shift_only,
            "reference_name": name,
            "galleries": [(title, words, images[:shown]) for title, words, images in galleries],
            "plot": Markup(plot),  # its words are escaped already
            "shares": shares,
            "most_share": max((max(before, now) for _, before, now in shares), default=1.0),
            "notes": result.notes,
        },
        noun=modality_of(result.batch).noun,
        whole=show_texts,
    )


def changed_shares(result: BatchDrift) -> list[tuple[str, float, float]]:
    """Of each predicted class its name and its share there and in the batch, those that differ most first."""
    ordered = sorted(result.shares, key=lambda share: -abs(share.batch - share.reference))
    return [(share.name, share.reference, share.batch) for share in ordered]


def _headline(result: BatchDrift) -> tuple[str, str]:
    """The headline, and the verdict that gives its colour."""
    if not result.drifted:
        return "No drift found", "good"
    if result.test.label_shift_only:
        return "Label shift: the classes come in other shares", "look"
    return "This batch comes from elsewhere", "bad"


def _facts(result: BatchDrift) -> Iterator[tuple[str, str, str]]:
    """Of each a name, a value and a remark."""
    test, accuracy = result.test, result.test.balanced_accuracy
    yield "p-value", f"{test.p:.3f}", f"drift at {test.level:g} or less"
    yield (
        "told apart",
        percent(accuracy.value),
        f"({100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}); 50 % is guessing",
    )
    if test.p_within_classes is not None:
        yield "p-value within classes", f"{test.p_within_classes:.3f}", "whether more than the shares differs"


def _most_foreign(result: BatchDrift) -> Gallery:
    explanation = "The most foreign first, each with the model's prediction and how sure it is."
    if not result.drifted:
        explanation = "The model's prediction and how sure it is. No drift was found: chance may have put these on top."
    images = [_new_image(result, row) for row in result.most_foreign]
    return f"In the batch, least like {result.comparison.name}", explanation, images


def _to_compare_with(result: BatchDrift) -> Gallery:
    """Images of the other side; where only their embeddings are known, the batch's most usual ones."""
    reference = result.comparison.samples
    if reference is None:
        explanation = "The training images are not in the model; --reference DATA would show them here."
        return "In the batch, most like training", explanation, [_new_image(result, row) for row in result.most_usual]

    def label(row: int) -> str:
        number = int(reference.labels[row])
        return reference.classes[number] if number >= 0 else ""

    title = f"{result.comparison.name.capitalize()} images, least like the batch"
    rows: list[int] = result.test.reference_extremes.tolist()
    images = [(reference.items[row], reference.names[row], label(row)) for row in rows]
    return title, "What the batch has least of.", images


def _new_image(result: BatchDrift, row: int) -> ImageInWords:
    predictions = result.predictions
    words = f"{predictions.labels[row]}, {percent(float(predictions.confidences[row]))}"
    return result.batch.items[row], result.batch.names[row], words
