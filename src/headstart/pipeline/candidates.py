"""Which ways of transferring take part in the comparison: heads on the last layer, and heads on several layers.

Every head is tried on the first backbone's embedding. Logistic and ridge, the strongest two, are also tried on several
layers (the last five taps, signed square root) of each backbone and of all of them side by side: for images unlike
ImageNet's the last layer is too specific. Heads for which the allowance does not last are left out, and said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.backbones.graph import Backbone
from headstart.choose.score_cache import CachedStrategy
from headstart.choose.scoring import Candidate
from headstart.embed.features import Part, join_parts
from headstart.heads.catalog import HEADS, make_head
from headstart.records.arrays import Floats, Ints
from headstart.records.embeddings import Embeddings

if TYPE_CHECKING:
    from headstart.finetune.fine_tune import FineTune

MULTI_LAYER = ("probe", "ridge")
LAYERS = 5
QUICKEST = "class-mean"
SLOW = ("linear-svm", "svm", "forest", "mlp")
ALLOWANCE = 10.0
"""Modelled seconds for the whole comparison. Modelled and not clocked, so that the same data meet the same heads."""
_UNKNOWN_COST = 1.0
_SEVERAL_LAYERS, _SEVERAL_BACKBONES, _NOT_LINEAR = 0.02, 0.035, -0.01
"""Gains in accuracy over a linear head on the last layer, at 20 images a class; they decide ties alone."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A candidate with what is needed to build it again: the head's name and the parts of its input, or a fine-tune."""

    candidate: Candidate
    head: str
    signed_sqrt: bool
    parts: tuple[Part, ...]
    tuned: FineTune | None = None


@dataclass(frozen=True)
class LeftOut:
    """A candidate that did not take part, and why."""

    name: str
    features: str
    reason: str


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
    embedded: Sequence[Embeddings],
    rows: Ints,
    *,
    classes: int,
    fits: int,
    heads: Sequence[str] | None = None,
    class_weight: str | None = None,
    seed: int = 0,
    remember: Path | None = None,
    views: Sequence[View] | None = None,
    allowance: float = ALLOWANCE,
) -> tuple[list[Plan], list[LeftOut]]:
    """The candidates for `rows` of the embeddings, and those that were left out.

    heads: names from the catalogue; None takes all for which the allowance lasts, the strongest for their cost first.
    fits: how often a head is fitted (folds × repeats). remember: a folder to keep out-of-fold scores in. views: what
    the heads look at; None for the usual ones (see above). allowance: modelled seconds for all heads together, where
    `heads` is None.
    """
    seen = {view: _seen(view, backbones, embedded, rows) for view in views or _views(backbones)}
    plans, left_out, spent = [], [], 0.0
    for view, name in _in_order(list(seen), heads):
        X, mark = seen[view]
        title = f"multi-layer {name}" if view.several else name
        n, d = X.shape
        seconds = HEADS[name].seconds(n, d, classes, fits)
        if heads is None and spent + seconds > allowance:
            left_out.append(LeftOut(title, view.words, f"about {seconds:,.0f} s; ask for it with --heads {name}"))
            continue
        spent += seconds
        head = make_head(name, signed_sqrt=view.several, class_weight=class_weight, seed=seed)
        runner = head if remember is None else CachedStrategy(head, mark, remember)
        names = tuple(part.backbone.name for part in view.parts)
        prior = _prior(view, name)
        candidate = Candidate(title, view.words, X, runner, prediction_cost(view.parts), names, prior, seconds)
        plans.append(Plan(candidate, name, view.several, view.parts))
    return plans, left_out


def _in_order(views: Sequence[View], heads: Sequence[str] | None) -> list[tuple[View, str]]:
    """Every view with every head that may look at it; the quickest of all heads first, the slow ones last."""
    pairs = [(view, name) for view in views for name in heads or HEADS if view.main or name in MULTI_LAYER]
    return sorted(pairs, key=lambda pair: (pair[1] in SLOW) - (heads is None and pair[1] == QUICKEST))


def _seen(view: View, backbones: Sequence[Backbone], embedded: Sequence[Embeddings], rows: Ints) -> tuple[Floats, str]:
    """What the view shows of the rows, and its fingerprint."""
    of = {backbone.name: each for backbone, each in zip(backbones, embedded, strict=True)}
    X = join_parts([of[part.backbone.name] for part in view.parts], [part.taps for part in view.parts]).X[rows]
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
            yield View(
                f"{backbone.name}, {_layers(backbone)} layers",
                (_several(backbone),),
                several=True,
                main=False,
            )
    if len(backbones) > 1:
        words = " + ".join(f"{b.name}, {_layers(b)} layers" for b in backbones)
        yield View(words, tuple(_several(b) for b in backbones), several=True, main=False)


def _layers(backbone: Backbone) -> int:
    return min(LAYERS, len(backbone.taps))


def _last(backbone: Backbone) -> Part:
    return Part(backbone, (backbone.last.name,))


def _several(backbone: Backbone) -> Part:
    return Part(backbone, tuple(tap.name for tap in backbone.taps[-LAYERS:]))


def _prior(view: View, head: str) -> float:
    """What other data sets led one to expect, as a share: see docs/honesty.md."""
    if view.several:
        return _SEVERAL_BACKBONES if len(view.parts) > 1 else _SEVERAL_LAYERS
    return 0.0 if HEADS[head].linear else _NOT_LINEAR


def prediction_cost(parts: Sequence[Part]) -> float:
    """What a prediction costs: its forward passes, in 10⁹ multiply-adds; only ratios matter."""
    found = (part.backbone.facts.get("gigaflops") for part in parts)
    return sum(float(cost) if isinstance(cost, (int, float)) else _UNKNOWN_COST for cost in found)
