"""What a user may say about a training run, in one frozen record, checked when it is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from headstart import checks
from headstart.backbones.names import AUTO
from headstart.backbones.packaged import SHORT
from headstart.choose.budget import DEFAULT
from headstart.data.images.decode import FITS
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import parse_strategy
from headstart.heads.catalog import HEADS
from headstart.metrics.classes import METRICS
from headstart.model.facts import TrainingFacts
from headstart.records.run import MOST_SEED, Run
from headstart.trust.evidence import GuaranteeRequest

_MOST_FOLDS, _MOST_REPEATS = 1000, 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a training run; every default has its reason in `docs/honesty.md`.

    backbones: names of the backbones to embed with; 'auto' stands for the packaged ones and, in a race under a budget,
    for those whose weights are on this machine. heads: names of heads to compare, None for all that are cheap enough.
    metric: what 'best' means. class_weight: None, or 'balanced' to weigh every class alike. folds, repeats: of the
    cross-validation; None derives them from the number of images (and classes). min_gain: how much better a costlier
    candidate must be (a share). max_unreadable: the share of unreadable images above which the run stops. device: auto,
    cpu, cuda or mps. cache: keep embeddings and out-of-fold scores for the next run. weights: a checkpoint (safetensors
    or .pth) for the one backbone named, instead of its published weights. strategies: fine-tunes of the first backbone
    that are compared with the heads (`finetune.strategies`); 'auto' among them leaves the choice to the race, None does
    so where no heads are named, and () compares heads alone. recipe: how they train. budget: seconds for the whole run;
    None for five minutes where the race chooses what to try, and for no limit where strategies or heads are named.
    keep_training: save the embeddings of the training images with the model, so that `extend` can add classes without
    the images. exclude: a plan that `audit` has written and a person has read (`data.cleaning_plan`), which says what
    to leave out and what to hold together. max_error: the share of automatically accepted predictions that may be
    wrong, guaranteed with `confidence` where `predict` is asked for no other; None for none. per_class: guarantee it
    for each answered class, not only for all together. fit: how an image becomes a square: 'crop' (its centre),
    'squeeze' or 'pad' (the whole of it), or 'auto', which measures it where many images are long.
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
    keep_training: bool = True
    max_error: float | None = None
    confidence: float = 0.95
    per_class: bool = False
    exclude: str | None = None
    fit: str = AUTO

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
        """What is promised of accepted answers by default; None for nothing."""
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
        for head in self.heads or ():
            checks.one_of("head", head, list(HEADS))
        checks.one_of("metric", self.metric, METRICS)
        checks.one_of("class_weight", "none" if self.class_weight is None else self.class_weight, ("none", "balanced"))
        checks.one_of("fit", self.fit, (AUTO, *FITS))
        checks.between("folds", 2 if self.folds is None else self.folds, 2, _MOST_FOLDS)
        checks.between("repeats", 1 if self.repeats is None else self.repeats, 1, _MOST_REPEATS)
        checks.between("min_gain", self.min_gain, 0, 1)
        checks.between("max_unreadable", self.max_unreadable, 0, 1)
        checks.between("seed", self.seed, 0, MOST_SEED)
        checks.between("max_error", 0.02 if self.max_error is None else self.max_error, 1e-4, 0.5)
        checks.between("confidence", self.confidence, 0.8, 0.9999)
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
        if self.budget is not None and not self.budget > 0:
            raise OptionError(f"budget must be seconds above 0, or None; found {self.budget!r}.")


def _check_names(what: str, names: Sequence[str]) -> None:
    """Raise `OptionError` where a list of names is empty or has a name twice."""
    if not names:
        raise OptionError(f"{what} is an empty list: name at least one, or leave the option out.")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise OptionError(f"{what} names {checks.join_words(twice)} more than once: name each once.")


def _default(option: Field[Any]) -> Any:
    return option.default_factory() if callable(option.default_factory) else option.default
