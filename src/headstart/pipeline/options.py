"""What a user may say about a training run, in one frozen record, checked when it is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from headstart import checks
from headstart.backbones.names import AUTO
from headstart.backbones.packaged import SHORT
from headstart.choose.budget import DEFAULT, seconds_of
from headstart.data.images.decode import FITS
from headstart.data.series.keys import check_rule
from headstart.data.splits import HOLDOUT
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import is_fine_tune, parse_strategy
from headstart.heads.catalog import HEADS
from headstart.metrics.classes import METRICS
from headstart.model.facts import TrainingFacts
from headstart.records.run import MOST_SEED, Run
from headstart.trust.evidence import GuaranteeRequest

FROZEN = "frozen"
"""The word for heads alone, among strategies."""
_MOST_FOLDS, _MOST_REPEATS = 1000, 100
_MOST_MIN_GAIN = 0.25
"""More would let nothing but the cheapest win; half a point is 0.005, and 0.5 is a slip."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a training run; the reasons for the defaults are in `docs/honesty.md`.

    Names may be one text ("ridge, probe"), shares 0.05 or "5%". Where heads or strategies are named, no others can win;
    the plain probe is measured beside them, as a baseline.

    Parameters
    ----------
    backbones : tuple of str
        Names of the backbones to embed with; 'auto' stands for the packaged ones and, in a race under a budget, for
        those whose weights are on this machine.
    heads : tuple of str, optional
        Names of the heads to compare; None takes all that are cheap enough.
    metric : str
        What 'best' means: 'accuracy', 'balanced-accuracy' or 'macro-f1'.
    class_weight : str, optional
        'balanced' weighs every class alike, however few its images.
    folds : int, optional
        Folds of the cross-validation, at least 2; None derives them from the number of images of the smallest class.
    repeats : int, optional
        Repeats of the cross-validation, at least 1; None derives them from the number of images.
    min_gain : float
        How much better a costlier candidate must be, a share from 0 to 0.25 (0.005 is half a point).
    max_unreadable : float
        The share of unreadable images, 0 to 1, above which the run stops.
    seed : int
        Of everything that is drawn, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings and out-of-fold scores for the next run.
    weights : str, optional
        A checkpoint (safetensors or .pth) for the one backbone that is named, instead of its published weights.
    strategies : tuple of str, optional
        Fine-tunes of the first backbone that are compared with the heads, such as 'last-1' (see docs/finetuning.md).
        'auto' among them leaves the choice to the race, None does so where no heads are named, and () compares heads
        alone.
    recipe : Recipe
        How fine-tunes train.
    budget : float, optional
        Seconds (or "5m") for the whole run; None is five minutes where the race chooses what to try, else no limit.
    holdout : float, optional
        The share of the images that is kept apart as a test part, no group or duplicate on both sides.
    keep_training : bool
        Save the embeddings of the training images with the model, so that `extend` can add classes without the images.
    keep_images : bool
        Save up to 16 training images as pixels with the model, so that an export can be compared with it at any time.
    max_error : float, optional
        The share of accepted predictions that may be wrong, 0.0001 to 0.5, guaranteed where `predict` is asked for
        nothing else; None guarantees nothing.
    confidence : float
        Of that guarantee, 0.8 to 0.9999.
    per_class : bool
        Guarantee it for every predicted class, not only for all together.
    exclude : str, optional
        A plan that `audit` has written and a person has read: what to leave out, and what to hold together.
    fit : str
        How an image becomes a square: 'crop' (its centre), 'squeeze' or 'pad' (the whole of it); 'auto' measures that
        where many images are long.
    group_by : str
        What holds images together that show one thing: 'auto' looks for series where the data name no groups, 'none'
        does not; 'folder', 'exif-time' (taken within a minute) or 'name:REGEX' (what the expression finds in the name).
    unlabelled : str, optional
        A folder (or table) of unlabelled images of the same kind: self-training with it takes part in the comparison.

    Raises
    ------
    OptionError
        A value is out of its range, or is no known name.

    Examples
    --------
    >>> options = Options(budget=60, max_error=0.02)
    >>> options.auto, options.guarantee.max_error
    (True, 0.02)
    """

    backbones: tuple[str, ...] = (AUTO,)
    heads: tuple[str, ...] | None = None
    metric: str = "accuracy"
    class_weight: str | None = None
    folds: int | None = None
    repeats: int | None = None
    min_gain: float = 0.005
    max_unreadable: float = 0.05
    seed: int = 0
    device: str = "auto"
    cache: bool = True
    weights: str | None = None
    strategies: tuple[str, ...] | None = None
    recipe: Recipe = field(default_factory=Recipe)
    budget: float | None = None
    holdout: float | None = None
    keep_training: bool = True
    keep_images: bool = True
    max_error: float | None = None
    confidence: float = 0.95
    per_class: bool = False
    exclude: str | None = None
    fit: str = AUTO
    group_by: str = AUTO
    unlabelled: str | None = None

    @property
    def auto(self) -> bool:
        """Whether the race chooses what to try."""
        return self.heads is None if self.strategies is None else AUTO in self.strategies

    @property
    def named(self) -> tuple[str, ...]:
        """The fine-tunes that the user has named."""
        return tuple(word for word in self.strategies or () if word != AUTO)

    @property
    def seconds(self) -> float:
        """How long the run may take, infinity for no limit."""
        if self.budget is not None:
            return self.budget
        return DEFAULT if self.auto else math.inf

    @property
    def run(self) -> Run:
        """Seed, device, cache and the share of unreadable images, as every room takes them."""
        return Run(seed=self.seed, device=self.device, cache=self.cache, max_unreadable=self.max_unreadable)

    @property
    def guarantee(self) -> GuaranteeRequest | None:
        """What is guaranteed of accepted predictions by default; None for nothing."""
        if self.max_error is None:
            return None
        return GuaranteeRequest(self.max_error, self.confidence, self.per_class)

    @property
    def training(self) -> TrainingFacts:
        """What a saved model remembers: how to train its head again, and, for people, what else was asked for."""
        asked = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != _default(f)}
        if self.budget is not None and math.isinf(self.budget):
            asked["budget"] = "none"
        if "recipe" in asked:
            asked["recipe"] = asdict(self.recipe)
        return TrainingFacts(self.metric, self.class_weight, self.seed, self.folds, self.repeats, asked)

    def __post_init__(self) -> None:
        for name in ("backbones", "heads", "strategies"):
            self._settle(name, _words(getattr(self, name)))
        self._settle_strategies()
        self._settle("budget", seconds_of(self.budget))
        for name, high in (("min_gain", _MOST_MIN_GAIN), ("max_unreadable", 1.0)):
            self._settle(name, checks.share(name, getattr(self, name), 0, high))
        if self.max_error is not None:
            self._settle("max_error", checks.share("max_error", self.max_error, 1e-4, 0.5))
        if self.holdout is not None:
            self._settle("holdout", checks.share("holdout", self.holdout, *HOLDOUT))
        self._settle("confidence", checks.share("confidence", self.confidence, 0.8, 0.9999))
        for head in self.heads or ():
            checks.one_of("head", head, list(HEADS))
        checks.one_of("metric", self.metric, METRICS)
        checks.one_of("class_weight", "none" if self.class_weight is None else self.class_weight, ("none", "balanced"))
        checks.one_of("fit", self.fit, (AUTO, *FITS))
        check_rule(self.group_by)
        checks.between("folds", 2 if self.folds is None else self.folds, 2, _MOST_FOLDS)
        checks.between("repeats", 1 if self.repeats is None else self.repeats, 1, _MOST_REPEATS)
        checks.between("seed", self.seed, 0, MOST_SEED)
        if self.per_class and self.max_error is None:
            raise OptionError("per_class is about a guarantee: give max_error too, such as 0.02.")
        _check_names("backbones", [SHORT.get(name, name) for name in self.backbones])
        if self.weights is not None and len(self.backbones) != 1:
            raise OptionError(
                f"weights are for one backbone, and {len(self.backbones)} are named: name the one they belong to."
            )
        _check_names("heads", ["all"] if self.heads is None else self.heads)
        _check_names("strategies", self.strategies or ["none"])
        for word in self.named:
            parse_strategy(word, list(HEADS))

    def _settle(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _settle_strategies(self) -> None:
        """Part the names of `strategies` into heads and fine-tunes; 'frozen' stands for heads alone."""
        if self.strategies is None:
            return
        named = tuple(word for word in self.strategies if word in HEADS)
        if unknown := [w for w in self.strategies if w not in (AUTO, FROZEN, *HEADS) and not is_fine_tune(w)]:
            parse_strategy(unknown[0], [AUTO, FROZEN, *HEADS])
        if named:
            self._settle("heads", (*(self.heads or ()), *named))
        self._settle("strategies", tuple(word for word in self.strategies if word not in (FROZEN, *HEADS)))


def _words(names: Any) -> Any:
    """A word, or several with commas between them, as a tuple of words; other sequences as tuples."""
    if isinstance(names, str):
        return tuple(word.strip() for word in names.split(",") if word.strip())
    return None if names is None else tuple(names)


def _check_names(what: str, names: Sequence[str]) -> None:
    """Raise `OptionError` where a list of names is empty or has a name twice."""
    if not names:
        raise OptionError(f"{what} is an empty list: name at least one, or leave the option out.")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise OptionError(f"{what} names {checks.join_words(twice)} more than once: name each once.")


def _default(option: Field[Any]) -> Any:
    return option.default_factory() if callable(option.default_factory) else option.default
