"""Headstart: transfer learning that measures.

    import headstart

    result = headstart.train("photos/")          # a folder of class folders
    print(result.summary())
    result.save("model/")

    model = headstart.load("model/")             # needs neither torch nor scikit-learn
    model.predict(["new.jpg"]).labels

What may be said about a run is in `Options`, about a fine-tune in `Recipe`. `TransferClassifier` is the same thing
under scikit-learn's contract.
Names load on first use, so importing the package costs almost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from headstart.finetune.recipe import Recipe as Recipe
    from headstart.loading import load as load
    from headstart.runtime import Predictor as Predictor
    from headstart.tasks.advice import advise as advise
    from headstart.tasks.audit import audit as audit
    from headstart.tasks.classifier import TransferClassifier as TransferClassifier
    from headstart.tasks.classify import train as train
    from headstart.tasks.curve import learning_curve as learning_curve
    from headstart.tasks.depth import depth as depth
    from headstart.tasks.drift import drift as drift
    from headstart.tasks.extend import extend as extend
    from headstart.tasks.options import Options as Options
    from headstart.tasks.ranking import rank as rank

_HOMES = {
    "Options": "headstart.tasks.options",
    "Predictor": "headstart.runtime",
    "Recipe": "headstart.finetune.recipe",
    "TransferClassifier": "headstart.tasks.classifier",
    "advise": "headstart.tasks.advice",
    "audit": "headstart.tasks.audit",
    "depth": "headstart.tasks.depth",
    "drift": "headstart.tasks.drift",
    "extend": "headstart.tasks.extend",
    "learning_curve": "headstart.tasks.curve",
    "load": "headstart.loading",
    "rank": "headstart.tasks.ranking",
    "train": "headstart.tasks.classify",
}

__all__ = [
    *("Options", "Predictor", "Recipe", "TransferClassifier", "__version__"),
    *("advise", "audit", "depth", "drift", "extend", "learning_curve", "load", "rank", "train"),
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
