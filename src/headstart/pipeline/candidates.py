"""Which heads take part in the comparison, and what they look at: the last layer, or several layers.

Every head is tried on the first backbone's embedding. Logistic and ridge, the strongest two, are also tried on several
layers (the last five taps, signed square root) of each backbone and of all of them side by side: for images unlike
ImageNet's the last layer is too specific. Heads for which the allowance does not last are left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart.backbones.graph import Backbone
from headstart.choose.score_cache import CachedStrategy
from headstart.choose.strategy import About, Fitted, LeftOut
from headstart.embed.features import Part, join_parts
from headstart.heads.base import PathScores
from headstart.heads.catalog import HEADS, make_head
from headstart.heads.tuning import choose_crossed
from headstart.records.arrays import Floats, Ints
from headstart.records.embeddings import Embeddings
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.heads.base import Head

MULTI_LAYER = ("probe", "ridge")
LAYERS = 5
"""How many of a backbone's last layers, side by side, heads and probes on several layers look at."""
QUICKEST = "class-mean"
SLOW = ("linear-svm", "svm", "forest", "mlp")
ALLOWANCE = 10.0
"""Modelled seconds for the whole comparison. Modelled and not clocked, so that the same data meet the same heads."""
_UNKNOWN_COST = 1.0
_SEVERAL_LAYERS, _SEVERAL_BACKBONES = 0.02, 0.035
"""Gains in accuracy over the probe on the last layer, at 20 images a class; they decide ties alone."""
_OF_HEAD = {"ridge": 0.01, "probe": 0.0, "lda": 0.0, "linear-svm": -0.005, "svm": -0.01}
_OF_OTHERS = -0.03
"""The same of heads; nearest neighbours and their like seldom win but by luck."""


@dataclass(frozen=True, eq=False)
class HeadStrategy:
    """A head on frozen features.

    head: its name in the catalogue. signed_sqrt: whether it looks at the signed square root of the features. parts:
    where the features come from. X: (n, d) the features of the rows. class_weight, seed: as for `make_head`.
    cache: the folder for out-of-fold scores, with the fingerprint of X; None to keep none. fixed: hyper-parameters that
    are not to be chosen.
    """

    about: About
    head: str
    signed_sqrt: bool
    parts: tuple[Part, ...]
    X: Floats
    class_weight: str | None = None
    seed: int = 0
    cache: tuple[Path, str] | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said of a head."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores with the strength (or number of neighbours, …) that the other folds' rows choose.

        It is chosen by a proper loss, which uses the margin of every row, where accuracy on few rows is mostly luck.
        """
        head = self.make(self.fixed)
        runner = head if self.cache is None else CachedStrategy(head, self.cache[1], self.cache[0])
        return self.choose(runner.path_scores(self.X, rows.target.values, rows.folds), rows)

    def choose(self, path: PathScores, rows: Rows) -> PathScores:
        """The scores with one configuration in each fold, chosen by a proper loss of the other folds' rows."""
        if len(path.configurations) == 1:
            return path
        losses = self.make(self.fixed).row_losses(path.scores, rows.labels)
        if self.class_weight == "balanced":  # a mean over classes: each row weighs as one over its class's size
            losses = (losses / np.bincount(rows.labels)[rows.labels]).astype(np.float32)
        choice, scores = choose_crossed(path.scores, losses, rows.folds)
        return PathScores((path.configurations[choice],), scores)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The head trained on all rows."""
        head = self.make(configuration).fit(self.X, rows.target.values)
        return Fitted(self.parts, head.form_, self.X)

    def make(self, configuration: Mapping[str, Any]) -> Head:
        """The head with a configuration, unfitted; it chooses what that leaves open."""
        return make_head(
            self.head,
            signed_sqrt=self.signed_sqrt,
            class_weight=self.class_weight,
            seed=self.seed,
            configuration=configuration,
        )


@dataclass(frozen=True, eq=False)
class View:
    """What a head may look at: which taps of which backbones, in words.

    several: whether several layers stand side by side. main: whether every head may look, and not only the strongest.
    """

    words: str
    parts: tuple[Part, ...]
    several: bool
    main: bool


def plan_heads(
    backbones: Sequence[Backbone],
    embeddings: Sequence[Embeddings],
    rows: Ints,
    *,
    classes: int,
    fits: int,
    heads: Sequence[str] | None = None,
    class_weight: str | None = None,
    seed: int = 0,
    cache: Path | None = None,
    views: Sequence[View] | None = None,
    allowance: float = ALLOWANCE,
) -> tuple[list[HeadStrategy], list[LeftOut]]:
    """The heads for `rows` of the embeddings, and those that were left out.

    heads: names from the catalogue; None takes all for which the allowance lasts, the strongest for their cost first.
    fits: how often a head is fitted (folds × repeats). cache: a folder for out-of-fold scores. views: what the heads
    look at; None for the usual ones (see above). allowance: modelled seconds for all heads together, where `heads` is
    None.
    """
    features = {view: _features(view, backbones, embeddings, rows) for view in views or _views(backbones)}
    strategies: list[HeadStrategy] = []
    left_out: list[LeftOut] = []
    spent = 0.0
    for view, name in _in_order(list(features), heads):
        X, mark = features[view]
        title = f"multi-layer {name}" if view.several else name
        n, d = X.shape
        seconds = HEADS[name].seconds(n, d, classes, fits)
        if heads is None and spent + seconds > allowance:
            left_out.append(LeftOut(title, view.words, f"about {seconds:,.0f} s; ask for it with --heads {name}"))
            continue
        spent += seconds
        names = tuple(part.backbone.name for part in view.parts)
        about = About(title, view.words, prediction_cost(view.parts), names, _prior(view, name), seconds)
        place = None if cache is None else (cache, mark)
        strategies.append(HeadStrategy(about, name, view.several, view.parts, X, class_weight, seed, place))
    return strategies, left_out


def _in_order(views: Sequence[View], heads: Sequence[str] | None) -> list[tuple[View, str]]:
    """Every view with every head that may look at it; the quickest of all heads first, the slow ones last."""
    pairs = [(view, name) for view in views for name in heads or HEADS if view.main or name in MULTI_LAYER]
    return sorted(pairs, key=lambda pair: (pair[1] in SLOW) - (heads is None and pair[1] == QUICKEST))


def _features(
    view: View, backbones: Sequence[Backbone], embeddings: Sequence[Embeddings], rows: Ints
) -> tuple[Floats, str]:
    """What the view shows of the rows, and its fingerprint."""
    by_name = {backbone.name: table for backbone, table in zip(backbones, embeddings, strict=True)}
    tables = [by_name[part.backbone.name] for part in view.parts]
    X = join_parts(tables, [part.taps for part in view.parts]).X[rows]
    return X, fingerprint.hash_array(X)


def last_layer_views(backbones: Sequence[Backbone]) -> list[View]:
    """The last layer of each backbone, for every head."""
    return [
        View(f"{backbone.name}, last layer", (_last(backbone),), several=False, main=True) for backbone in backbones
    ]


def tap_views(backbone: Backbone) -> list[View]:
    """Every tap of a backbone by itself, earliest first, for every head."""
    return [
        View(f"{backbone.name}, {tap.name}", (Part(backbone, (tap.name,)),), several=False, main=True)
        for tap in backbone.taps
    ]


def _views(backbones: Sequence[Backbone]) -> Iterator[View]:
    """The last layer of each backbone, several layers of each, several layers of all."""
    for i, backbone in enumerate(backbones):
        yield View(f"{backbone.name}, last layer", (_last(backbone),), several=False, main=i == 0)
        if len(backbone.taps) > 1:
            yield View(_several_words(backbone), (_several(backbone),), several=True, main=False)
    if len(backbones) > 1:
        words = " + ".join(_several_words(backbone) for backbone in backbones)
        yield View(words, tuple(_several(backbone) for backbone in backbones), several=True, main=False)


def _several_words(backbone: Backbone) -> str:
    return f"{backbone.name}, {min(LAYERS, len(backbone.taps))} layers"


def _last(backbone: Backbone) -> Part:
    return Part(backbone, (backbone.last.name,))


def _several(backbone: Backbone) -> Part:
    return Part(backbone, tuple(tap.name for tap in backbone.taps[-LAYERS:]))


def _prior(view: View, head: str) -> float:
    """What other data sets led one to expect, as a share: see docs/honesty.md."""
    several = _SEVERAL_BACKBONES if len(view.parts) > 1 else _SEVERAL_LAYERS
    return (several if view.several else 0.0) + _OF_HEAD.get(head, _OF_OTHERS)


def prediction_cost(parts: Sequence[Part]) -> float:
    """What a prediction costs: its forward passes, in 10⁹ multiply-adds; only ratios matter."""
    costs = (part.backbone.facts.get("gigaflops") for part in parts)
    return sum(float(cost) if isinstance(cost, (int, float)) else _UNKNOWN_COST for cost in costs)
