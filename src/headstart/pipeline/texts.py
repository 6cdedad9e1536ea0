"""What is raced on texts: layers of the encoder with several heads, TF-IDF with logistic regression, their ensemble.

`plan_texts` makes the strategies. Every one's head looks at the encoder's layers of length one (`embed.text_engine`);
the heads of the table below are what docs/evidence/text.md measured. TF-IDF is always among them: it is what a user
would do first. The ensemble reuses the others' out-of-fold scores, which are kept in memory for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart.backbones.words import NAME, words_backbone
from headstart.choose.ensemble import crossed_scores, select
from headstart.choose.strategy import About, Fitted, LeftOut
from headstart.embed.features import Part
from headstart.errors import DataError, OptionError
from headstart.heads.base import PathScores
from headstart.heads.catalog import HEADS
from headstart.heads.forms.blend import Blend
from headstart.heads.forms.linear import Linear
from headstart.pipeline.candidates import ALLOWANCE, HeadStrategy, prediction_cost
from headstart.pipeline.comparison import score_folder
from headstart.pipeline.words import WordsModel
from headstart.records.arrays import Floats
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

TFIDF, ENSEMBLE = "tf-idf", "ensemble"
_TOKEN = "token"
"""The tap of a text's last piece (`conversion.text_tracing`)."""
_MIDDLE = 4
"""The last so many layers stand side by side in most strategies."""
_SLOW = 1.0
"""Modelled seconds from which on one repeat of the folds stands for all."""
_SEVERAL, _FIRST_WORDS, _ONE = 0.08, 0.06, 0.03
"""Gains in accuracy over TF-IDF that other sets led one to expect with few labels; they decide ties alone. Half of what
was seen of questions, opinions, reviews of products and messages (docs/evidence/text.md); with many classes alike."""
_MANY_CLASSES = 20
"""From so many classes on the probe on one layer is worth its time, and that on several layers is not."""


def plan_texts(
    prepared: Prepared, division: Division, options: Options
) -> tuple[list[Any], list[LeftOut], tuple[str, ...]]:
    """The strategies, those that were left out, and notes. Raises `OptionError` for fine-tunes that were named."""
    if options.named:
        raise OptionError(f"{options.named[0]!r} was asked for; texts are compared with frozen encoders: leave it out.")
    encoder, table = prepared.backbones[0], prepared.embedded[0]
    rows = division.fit
    views = {words: (taps, table.joined(taps)[rows]) for words, taps in _views(encoder).items()}
    classes = len(prepared.samples.target.names)
    fits = division.folds.shape[0] * (int(division.folds.max()) + 1)
    members: list[_Scored] = []
    left_out: list[LeftOut] = []
    spent = 0.0
    for words, head in _pairs(tuple(views), options.heads, classes):
        taps, X = views[words]
        seconds = HEADS[head].seconds(len(X), X.shape[1], classes, fits)
        if options.heads is None and spent + seconds > 3 * ALLOWANCE:
            left_out.append(LeftOut(head, _title(encoder, words), f"about {seconds:,.0f} s; ask with --heads {head}"))
            continue
        spent += seconds
        part = Part(encoder, taps)
        about = About(
            head, _title(encoder, words), prediction_cost([part]), (encoder.name,), _prior(words, classes), seconds
        )
        place = score_folder(options)
        cache = None if place is None else (place, fingerprint.hash_array(X))
        strategy = HeadStrategy(about, head, False, (part,), X, options.class_weight, options.seed, cache)
        members.append(_Scored(strategy, once=seconds > _SLOW))
    items = tuple(str(prepared.samples.items[row]) for row in rows)
    tfidf = WordsStrategy(encoder, items, table.last[rows], classes, options.class_weight == "balanced")
    strategies: list[Any] = [*members, *([] if options.heads else [_Scored(tfidf)])]
    if not options.heads and len(strategies) > 2:
        strategies.append(EnsembleStrategy(tuple(strategies)))
    return strategies, left_out, ()


def _title(encoder: Backbone, words: str) -> str:
    return f"{encoder.name}, {words}"


def _views(encoder: Backbone) -> dict[str, tuple[str, ...]]:
    """What heads look at: words → taps; the last layers, the last, all, and the last with the first words.

    Of a network that reads from left to right the last layer has its last piece beside its mean.
    """
    means = [tap.name for tap in encoder.taps if tap.kind != "first"]
    first = tuple(tap.name for tap in encoder.taps if tap.kind == "first")
    middle = tuple(means[-_MIDDLE:])
    several = f"last {len(middle)} layers"
    views = {several: middle, "last layer": (means[-1],), f"all {len(means)} layers": tuple(means)}
    views[f"{several} and first words"] = (*first, *middle)
    return views if _TOKEN not in means else {**views, "last piece": (_TOKEN,)}


def _pairs(views: Sequence[str], heads: Sequence[str] | None, classes: int) -> list[tuple[str, str]]:
    """View and head of each strategy, the strongest for its cost first."""
    middle, last, every, first, *others = views
    if heads is not None:
        return [(view, head) for head in heads for view in (middle, last)]
    usual = [(middle, "lda"), (last, "probe"), (first, "lda"), (every, "ridge")]
    usual += [(view, "probe") for view in others]
    return usual if classes > _MANY_CLASSES else [*usual[:1], (middle, "probe"), *usual[1:], (first, "probe")]


def _prior(words: str, classes: int) -> float:
    """The gain expected of what a head looks at."""
    if "first words" in words:
        return _FIRST_WORDS
    return _ONE if words in ("last layer", "last piece") and classes <= _MANY_CLASSES else _SEVERAL


@dataclass(frozen=True, eq=False)
class _Scored:
    """A strategy whose out-of-fold scores are kept in memory, for the ensemble. once: score the first repeat alone."""

    strategy: Any
    once: bool = False
    memory: dict[str, PathScores] = field(default_factory=dict, repr=False)

    @property
    def about(self) -> About:
        """As the strategy's own."""
        about: About = self.strategy.about
        return about

    @property
    def head(self) -> str:
        """The head's name."""
        return str(self.strategy.head)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """As the strategy's own, once for the same folds."""
        key = fingerprint.hash_array(rows.folds)
        if key not in self.memory:
            self.memory[key] = self._path_of_first(rows) if self.once else self.strategy.path(rows)
        return self.memory[key]

    def _path_of_first(self, rows: Rows) -> PathScores:
        """The first repeat's scores, which stand for those of all: the same expectation, from fewer draws."""
        path: PathScores = self.strategy.path(replace(rows, folds=rows.folds[:1]))
        return replace(path, scores=np.repeat(path.scores, len(rows.folds), axis=1))

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """As the strategy's own."""
        fitted: Fitted = self.strategy.fit(rows, configuration)
        return fitted


@dataclass(frozen=True, eq=False)
class WordsStrategy:
    """TF-IDF with a linear model, beside the encoder's last layer, which novelty and drift look at.

    encoder: whose last layer. texts: of the rows. last: (n, d) that layer. classes: K. weighted: classes count alike.
    """

    encoder: Backbone
    texts: tuple[str, ...]
    last: Floats
    classes: int
    weighted: bool
    model: WordsModel = field(init=False, repr=False)
    memory: dict[str, Floats] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", WordsModel(self.texts, self.classes, self.weighted))

    @property
    def head(self) -> str:
        """What it is called."""
        return TFIDF

    @property
    def about(self) -> About:
        """The model in words."""
        model = "logistic regression" if self.model.logistic else "linear SVM"
        return About(f"{TFIDF} + {model}", "words and characters", self._cost, (NAME,))

    @property
    def _cost(self) -> float:
        return prediction_cost([Part(self.encoder, (self.encoder.last.name,))])

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores of its one configuration."""
        scores = self.model.scores(rows.labels, rows.folds)
        self.memory["scores"] = scores[0]
        return PathScores(({},), scores[None])

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The model on all rows. What stands for its view of them are the out-of-fold scores: its own say too much."""
        words = words_backbone(self.model.fit(rows.labels).to_bytes())
        parts = (Part(self.encoder, (self.encoder.last.name,)), Part(words, (NAME,)))
        own = self.memory["scores"] if "scores" in self.memory else self.path(rows).scores[0, 0]
        X = np.concatenate([self.last, own], axis=1, dtype=np.float32)
        width = self.last.shape[1]
        weight = np.concatenate([np.zeros((width, self.classes)), np.eye(self.classes)]).astype(np.float32)
        form = Linear(
            np.zeros(len(weight), np.float32), weight, np.zeros(self.classes, np.float32), np.array(0, np.uint8)
        )
        return Fitted(parts, form, X)


@dataclass(frozen=True, eq=False)
class EnsembleStrategy:
    """The greedy, calibrated ensemble of the other strategies."""

    members: tuple[_Scored, ...]

    @property
    def head(self) -> str:
        """What it is called."""
        return ENSEMBLE

    @property
    def about(self) -> About:
        """Its members in words."""
        encoder = self.members[0].about
        seconds = sum(member.about.seconds for member in self.members) / 10
        return About(
            ENSEMBLE, f"the scores of {len(self.members)} models", encoder.cost, encoder.backbones, _SEVERAL, seconds
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores: of each row by an ensemble that was chosen without its fold."""
        paths = [member.path(rows) for member in self.members]
        return PathScores(({},), crossed_scores(paths, rows.labels, rows.folds)[None])

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """Choose by all out-of-fold scores, fit every chosen member to all rows, and put them into one form."""
        paths = [member.path(rows) for member in self.members]
        scored = np.flatnonzero((rows.folds >= 0).all(axis=0))
        recipe = select(paths, rows.labels, scored)
        fitted = [self.members[m].fit(rows, paths[m].configurations[c]) for m, c in recipe.members]
        parts, X, places = _side_by_side(fitted)
        weight = np.zeros((len(fitted), X.shape[1], len(rows.classes)), np.float32)
        bias = np.zeros((len(fitted), len(rows.classes)), np.float32)
        for i, (one, place) in enumerate(zip(fitted, places, strict=True)):
            linear = one.form
            if not isinstance(linear, Linear) or linear.root:
                raise DataError("only linear models of plain features stand in an ensemble.")
            weight[i, place] = linear.weight
            bias[i] = linear.bias - linear.centre @ linear.weight  # (x - centre) @ W + b = x @ W + (b - centre @ W)
        sharpness = np.array([1 / temperature for temperature in recipe.temperatures], np.float32)
        share = np.array(recipe.shares, np.float32)
        names = ", ".join(
            f"{round(100 * part)} % {self.members[m].about.title}"
            for (m, _), part in zip(recipe.members, recipe.shares, strict=True)
        )
        return Fitted(parts, Blend(weight, bias, sharpness, share), X, (f"The ensemble is {names}.",))


def _side_by_side(fitted: Sequence[Fitted]) -> tuple[tuple[Part, ...], Floats, list[Any]]:
    """The parts of several models, every tap once; their view of the rows; and where each one's columns lie in it."""
    taps: dict[str, dict[str, Floats]] = {}
    backbones: dict[str, Any] = {}
    for one in fitted:
        low = 0
        for part in one.parts:
            backbones[part.backbone.name] = part.backbone
            for tap in part.taps:
                high = low + part.backbone.tap(tap).width
                assert one.X is not None
                taps.setdefault(part.backbone.name, {})[tap] = one.X[:, low:high]
                low = high
    # An encoder comes first: novelty looks at the first part's layers.
    names = sorted(taps, key=lambda name: name == NAME)
    parts = tuple(Part(backbones[name], tuple(taps[name])) for name in names)
    starts: dict[tuple[str, str], int] = {}
    low = 0
    for name in names:
        for tap, columns in taps[name].items():
            starts[name, tap] = low
            low += columns.shape[1]
    X = np.concatenate([taps[name][tap] for name in names for tap in taps[name]], axis=1)
    places = [
        np.concatenate(
            [
                np.arange(
                    starts[part.backbone.name, tap], starts[part.backbone.name, tap] + part.backbone.tap(tap).width
                )
                for part in one.parts
                for tap in part.taps
            ]
        )
        for one in fitted
    ]
    return parts, X, places


def settle_texts(options: Options, encoder: str) -> Options:
    """The options for texts: this encoder where none was named."""
    return replace(options, backbones=(encoder,)) if options.backbones == ("auto",) else options
