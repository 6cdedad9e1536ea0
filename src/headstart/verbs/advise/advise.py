"""The prior before anything is trained: where the data stand, what rule tables advise, what strategies would cost.

`advise` takes labelled images and returns a frozen `AdviceReport`: the measured position (images per class, similarity
to ImageNet by several signals), the tables' advice with its contradictions, and a forecast of each strategy's time on
this machine. It chooses nothing: `train` measures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import first_lines, quantity
from headstart.choose.prior_knowledge.rule_tables import TRY, Position, Prior
from headstart.choose.prior_knowledge.rule_tables import prior_advice as read_tables
from headstart.choose.prior_knowledge.similarity import (
    ImageNetSimilarity,
    depth_signal,
    head_signals,
    shift_signal,
    vote,
)
from headstart.data.cleaning_plan import apply_plan
from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.data.modality import modality_of
from headstart.data.sampling import random_rows_of_every_class
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import FOLDS_OF_FINE_TUNES, check_enough, divide, folds_for, repeats_for
from headstart.errors import DataError, MissingExtra, OptionError
from headstart.pipeline.candidates import tap_views
from headstart.pipeline.comparison import compare_views
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, prepare
from headstart.records.notebook import NotebookText
from headstart.records.samples import Failure, Samples
from headstart.verbs.advise.forecast import Forecast, forecast_fine_tunes, forecast_heads

if TYPE_CHECKING:
    from headstart.choose.prior_knowledge.similarity import Signal

REFERENCE = "efficientnet_lite0"
"""The network by which similarity is judged, whichever is to be trained: its head and statistics are at hand."""
_NORM = "blocks.6.0.bn3"
_TAP = "blocks.6"
"""This tap is the mean over positions of what that norm puts out, so its mean on ImageNet is the norm's bias."""
MOST = 500
"""Images that are looked at: the position needs no more, and the verb stays quick."""
_A_CLASS = 4
HEADS = ("probe", "ridge", "svm", "mlp")


@dataclass(frozen=True, eq=False, repr=False)
class AdviceReport(NotebookText):
    """The prior for some data. looked_at: images that the signals were measured on.

    position: of all images to train on, with those among them that were not looked at and may be unreadable.

    forecasts: heads, then fine-tunes; these only where their extra is installed, else `without` says what is missing.
    failures: unreadable images. notes: for the user.
    """

    backbone: str
    classes: tuple[str, ...]
    position: Position
    similarity: ImageNetSimilarity
    prior: Prior
    forecasts: tuple[Forecast, ...]
    without: str
    looked_at: int
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        position = self.position
        size = f"{quantity(position.images, 'image')} of {quantity(len(self.classes), 'class', 'classes')}"
        lines = [
            f"Advice: {self.answer()}",
            f"size: {size}, smallest {position.smallest:,}, median {position.median:,}",
            f"similarity: {self.similarity.words()}",
            *(f"{advice.table}: {advice.words()}" for advice in self.prior.advice),
            *(f"{forecast.strategy}: {forecast.words()}" for forecast in self.forecasts),
        ]
        return first_lines("\n".join(lines))

    def answer(self, data: str = "DATA") -> str:
        """The way that most tables advise, in a line, with the command that measures it. data: as it names them."""
        speaking = [set(advice.ways) & set(TRY) for advice in self.prior.advice if advice.ways]
        votes = Counter(way for ways in speaking for way in sorted(ways))
        if not votes:
            return f"no table says anything for data like these; measure: headstart train {data}"
        way, count = max(votes.items(), key=lambda vote: (vote[1], -list(TRY).index(vote[0])))
        tables = f"{count} of {quantity(len(speaking), 'table')} that say something here advise it"
        return f"begin with {TRY[way]} ({tables}); measured by: headstart train {data}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "backbone": self.backbone,
            "images": self.position.images,
            "counts": dict(zip(self.classes, self.position.counts, strict=True)),
            "smallest": self.position.smallest,
            "median": self.position.median,
            "looked_at": self.looked_at,
            "similarity": {**asdict(self.similarity), "words": self.similarity.words()},
            **self.prior.to_dict(),
            "forecasts": [{**asdict(forecast), "words": forecast.words()} for forecast in self.forecasts],
            "without": self.without,
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def advise(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> AdviceReport:
    """Place labelled images in the known rule tables, and forecast what each strategy would cost here.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        A folder of class folders, a table, paths or images with `labels`, or a `Dataset`, as `train` takes it.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: images of equal value are never parted between folds.
    options : Options, optional
        As of `train`, with one backbone, the one to be trained (default: efficientnet_lite0); its heads, strategies and
        recipe take no part.

    Returns
    -------
    AdviceReport
        The data's position (images per class, similarity to ImageNet), what each table says there, and the forecasts in
        seconds.

    Raises
    ------
    OptionError
        For several backbones.
    DataError
        When the data cannot carry a measurement.

    Examples
    --------
    ::

        advice = advise("photos/")
        advice.position.median, advice.similarity.verdict
    """
    options = _with_full_name(options or Options(backbones=(REFERENCE,)))
    dataset, _ = apply_plan(load_dataset(data, labels=labels, groups=groups), options.exclude)
    if not modality_of(dataset.samples).squares:
        raise OptionError(
            "the rule tables of transfer learning are about pictures: for texts 'headstart train' measures."
        )
    samples, duplicates = resolve_duplicates(dataset.samples, together=dataset.together)
    samples = _training_samples(samples)
    check_enough(samples.labels, samples.classes, samples.groups)
    prepared = embed_subsample(replace(dataset, samples=samples, together=()), options)
    counts = tuple(samples.counts().values())
    similarity = _similarity(prepared, options)
    position = Position(counts, similarity.verdict)
    heads, fine_tunes, without = _forecasts(prepared, position, options)
    return AdviceReport(
        backbone=prepared.backbones[-1].name,
        classes=samples.classes,
        position=position,
        similarity=similarity,
        prior=read_tables(position),
        forecasts=(*heads, *fine_tunes),
        without=without,
        looked_at=len(prepared.samples),
        failures=prepared.failures,
        notes=(*duplicates.other_notes, *prepared.notes),
    )


def _with_full_name(options: Options) -> Options:
    """The options with the backbone's full name."""
    from headstart.backbones.names import resolve_names

    names = resolve_names(options.backbones)
    if len(names) != 1:
        raise OptionError(f"advise takes one backbone, and {len(names)} are named: name the one to train.")
    return replace(options, backbones=names)


def _training_samples(samples: Samples) -> Samples:
    """The images that would be trained on: those of the test split (or else the val split) are not."""
    if samples.splits is None:
        rows = samples.labels >= 0
    else:
        held_out = "test" if "test" in samples.splits else "val"
        rows = (samples.splits != held_out) & (samples.labels >= 0)
    if not rows.any():
        raise DataError("there is no labelled image to train on: give images in class folders, or a label column.")
    return replace(samples.take(rows), splits=None)


def embed_subsample(dataset: Dataset, options: Options) -> Prepared:
    """At most about `MOST` images, embedded by the reference and by the backbone to be trained."""
    samples = dataset.samples
    rows = random_rows_of_every_class(samples.labels, len(samples.classes), MOST, least=_A_CLASS, seed=options.seed)
    names = tuple(dict.fromkeys((REFERENCE, *options.backbones)))
    return prepare(replace(dataset, samples=samples.take(rows)), names, options.run, fit=options.fit)


def _similarity(prepared: Prepared, options: Options) -> ImageNetSimilarity:
    from headstart.backbones.weights import read_weights

    reference, embeddings = prepared.backbones[0], prepared.embedded[0]
    names = ("classifier.weight", "classifier.bias", f"{_NORM}.bias", f"{_NORM}.weight")
    weight, bias, mean, spread = read_weights(reference, names)
    logits = embeddings.taps[reference.last.name] @ weight.T + bias
    signals = (
        *head_signals(logits, len(prepared.samples.classes)),
        shift_signal(embeddings.taps[_TAP], mean, np.abs(spread)),
        _depth_signal(prepared, options),
    )
    return vote(signals, ("the gain over random features (headstart curve measures it)",))


def _depth_signal(prepared: Prepared, options: Options) -> Signal:
    """The last tap of the reference against its best one, by linear probes on the same folds, repeated once."""
    reference = prepared.backbones[0]
    alone = replace(prepared, backbones=(reference,), embedded=prepared.embedded[:1])
    division = divide(prepared.samples, count=options.folds, repeats=1, seed=options.seed)
    race_result = compare_views(alone, division, tap_views(reference), "probe", options)
    best, last = race_result.lines[race_result.winner], race_result.lines[-1]
    loss = best.score.value - last.score.value
    name = reference.taps[race_result.winner].name
    return depth_signal(name, reference.last.name, loss, worse=last.status == "behind")


def _forecasts(
    prepared: Prepared, position: Position, options: Options
) -> tuple[tuple[Forecast, ...], tuple[Forecast, ...], str]:
    """Of heads; of fine-tunes; and why there are none of these."""
    backbone = prepared.backbones[-1]
    images, classes = position.images, len(position.counts)
    fits = (options.folds or folds_for(images, classes)) * (options.repeats or repeats_for(images))
    heads = forecast_heads(HEADS, images=images, width=backbone.last.width, classes=classes, fits=fits)
    try:
        fine_tunes = forecast_fine_tunes(
            backbone,
            prepared.embedded[-1].last,
            prepared.samples,
            images=images,
            folds=options.folds or FOLDS_OF_FINE_TUNES,
            device=options.run.choose_device(),
        )
    except MissingExtra as error:
        return heads, (), f"Fine-tunes are not forecast: {error}"
    return heads, fine_tunes, ""
