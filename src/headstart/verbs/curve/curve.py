"""How accuracy grows with labels per class, and how many a target needs: from labelled images to a frozen `Curve`.

`learning_curve` embeds the images, measures one head with few labels per class and with many, does the same on random
features of the same networks, fits a curve to each and reads the target off the first. The head is the one that wins
most often in `train` and costs least: ridge regression on several layers of all backbones, its strength by exact
leave-one-out (docs/evidence/choosing.md). A test split takes no part. It trains no model for use and saves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headstart import checks
from headstart.backbones.names import AUTO, resolve_names
from headstart.choose.curves.fit import LearningCurve
from headstart.choose.curves.labels_needed import REACH, LabelsNeeded, labels_needed
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.load import load_dataset
from headstart.metrics.intervals import Estimate
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import prepare
from headstart.records.notebook import NotebookText
from headstart.records.samples import Failure
from headstart.verbs.curve import from_scratch
from headstart.verbs.curve.design import HEAD, design_curve
from headstart.verbs.curve.from_scratch import SCRATCH
from headstart.verbs.curve.random_features import embed_random, random_networks
from headstart.verbs.curve.series import Series
from headstart.verbs.curve.words import data_words, forecast_words, worth

PRETRAINED, RANDOM = "pretrained", "random"
_AHEAD = (2, 4)


@dataclass(frozen=True, eq=False, repr=False)
class Curve(NotebookText):
    """Accuracy against labels per class, and what a target needs.

    series: the pretrained features first. whole: the pretrained features' accuracy with every image that is not tested
    on, None where classes are equal, for then the last size is that. answer: to the target. ahead: labels per class,
    two and four times what every class has, → the accuracy forecast with its band. counts: class → images. failures:
    unreadable images. notes: sentences for the user.
    """

    series: tuple[Series, ...]
    whole: Estimate | None
    answer: LabelsNeeded
    ahead: Mapping[int, Estimate]
    counts: Mapping[str, int]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for a person: the answer, what was measured, what pretraining is worth, what is forecast."""
        lines = [("answer", self.answer.sentence), ("data", data_words(self.counts))]
        lines += [("measured", f"{HEAD} on {self.series[0].features}")]
        gain = worth(self.series)
        lines += [("pretraining", gain)] if gain else []
        lines += [("forecast", forecast_words(self.ahead))] if self.ahead else []
        return "\n".join(f"{name:<11} {words}" for name, words in lines)

    def __repr__(self) -> str:
        return checks.first_lines(f"Learning curve\n{self.summary()}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {
            "answer": asdict(self.answer),
            "forecasts": [{"labels_per_class": size, **accuracy.to_dict()} for size, accuracy in self.ahead.items()],
            "series": [_series_values(series) for series in self.series],
            "whole": None if self.whole is None else self.whole.to_dict(),
            "counts": dict(self.counts),
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def _series_values(series: Series) -> dict[str, Any]:
    measured, curve = series.measured, series.curve
    columns = zip(measured.sizes, series.points, measured.heads, measured.tested, strict=True)
    return {
        "name": series.name,
        "features": series.features,
        "head": None if series.name == SCRATCH else HEAD,
        "points": [
            {"labels_per_class": int(size), **point.to_dict(), "draws": int(heads), "images": int(tested)}
            for size, point, heads, tested in columns
        ],
        "law": None if curve is None else asdict(curve.law),
    }


def learning_curve(
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    target: float = 0.95,
    backbones: Sequence[str] = (AUTO,),
    random: bool = True,
    scratch: bool = False,
    exclude: str | None = None,
    max_unreadable: float = 0.05,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> Curve:
    """Measure accuracy at rising numbers of labels per class, and say how many more `target` needs.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        A folder of class folders, a table, paths or images with `labels`, or a `Dataset`, as `train` takes it.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: images of equal value are never parted between folds.
    target : float
        The accuracy wanted, a share from 0.01 to 1.
    backbones : sequence of str
        Names; 'auto' stands for the packaged ones.
    random : bool
        Also measure random features of the same networks: what pretraining is worth. Needs the extra `finetune`, once;
        where it is absent they are left out, with a note.
    scratch : bool
        Also train the first network from random weights at up to three sizes: takes minutes, and needs `finetune`.
    exclude : path, optional
        A plan that an audit has written and a person has read.
    max_unreadable : float
        The share of unreadable images, 0 to 1, above which it stops.
    seed : int
        Of folds, subsets and bootstrap, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep thumbnails and embeddings for the next run.

    Returns
    -------
    Curve
        The measured accuracies with 95 % intervals, the fitted law, and the labels that the target needs.

    Raises
    ------
    DataError
        When the data cannot carry a measurement.
    OptionError
        For an option out of its range.
    MissingExtra
        For `scratch` without torch.

    Examples
    --------
    ::

        curve = learning_curve("photos/", target=0.95)
        print(curve.answer.sentence)
    """
    checks.between("target", target, 0.01, 1)
    options = Options(
        backbones=resolve_names(backbones), max_unreadable=max_unreadable, seed=seed, device=device, cache=cache
    )
    run = options.run
    if scratch:
        from_scratch.check_from_scratch(options.backbones[0])
    dataset, _ = apply_plan(load_dataset(data, labels=labels, groups=groups), exclude)
    prepared = prepare(dataset, options.backbones, run, fit=options.fit)
    design = design_curve(prepared, seed)
    series, notes = [design.series(PRETRAINED, prepared.backbones, prepared.embedded)], [*prepared.notes, *design.notes]
    if random:
        networks, reasons = random_networks(prepared.backbones)
        notes += reasons
        if networks:
            embedded = [embed_random(prepared, network, run) for network in networks]
            series.append(design.series(RANDOM, networks, embedded))
    if scratch:
        series.append(design.from_scratch(prepared, run))
    counts = prepared.samples.take(design.rows).counts()
    first = series[0]
    return Curve(
        series=tuple(series),
        whole=design.whole(prepared.embedded),
        answer=labels_needed(first.measured, first.curve, target, counts),
        ahead=_ahead(first.curve, counts),
        counts=counts,
        failures=prepared.failures,
        notes=tuple(notes),
    )


def _ahead(curve: LearningCurve | None, counts: Mapping[str, int]) -> dict[int, Estimate]:
    """What to expect of twice and four times the labels that every class has, as far as a forecast is given."""
    if curve is None:
        return {}
    forecasts = {}
    for size in (times * min(counts.values()) for times in _AHEAD):
        if size <= REACH * curve.top:
            low, high = (float(end[0]) for end in curve.band([size]))
            method = "inverse power law, parametric bootstrap and model error"
            forecasts[size] = Estimate(float(curve.at(size)), low, high, "accuracy", curve.confidence, method)
    return forecasts
