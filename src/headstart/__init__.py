"""Headstart: transfer learning that measures.

    import headstart

    result = headstart.train("photos/")          # a folder of class folders
    print(result.summary())
    result.save("model/")

    model = headstart.load("model/")             # needs neither torch nor scikit-learn
    model.predict(["new.jpg"]).labels
    headstart.predict("model/", "new-photos/")   # a folder at once

`train` takes what the command line takes (`budget="1m"`, `max_error="2%"`), or all of it in one `Options`; how
fine-tunes train is a `Recipe`. `TransferClassifier` is the same thing
under scikit-learn's contract.
Names load on first use, so importing the package costs almost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headstart._version import __version__

if TYPE_CHECKING:
    from headstart.finetune.recipe import Recipe
    from headstart.model.open import open_model as load
    from headstart.model.predictor import Predictor
    from headstart.pipeline.options import Options
    from headstart.report.write import write_report
    from headstart.verbs.adapt.adapt import adapt
    from headstart.verbs.adapt.shift import shift
    from headstart.verbs.advise.advise import advise
    from headstart.verbs.audit.audit import audit
    from headstart.verbs.curve.curve import learning_curve
    from headstart.verbs.depth import depth
    from headstart.verbs.drift.drift import drift
    from headstart.verbs.embeddings import embeddings
    from headstart.verbs.estimator import TransferClassifier
    from headstart.verbs.evaluate import evaluate
    from headstart.verbs.explain import explain
    from headstart.verbs.export import export, verify
    from headstart.verbs.extend.extend import extend
    from headstart.verbs.forgetting import forgetting
    from headstart.verbs.predict import predict
    from headstart.verbs.predict_list import predict_list
    from headstart.verbs.rank import rank
    from headstart.verbs.robustness import robustness
    from headstart.verbs.train.train import train

_HOMES = {
    "Options": "headstart.pipeline.options",
    "Predictor": "headstart.model.predictor",
    "Recipe": "headstart.finetune.recipe",
    "TransferClassifier": "headstart.verbs.estimator",
    "adapt": "headstart.verbs.adapt.adapt",
    "advise": "headstart.verbs.advise.advise",
    "audit": "headstart.verbs.audit.audit",
    "depth": "headstart.verbs.depth",
    "drift": "headstart.verbs.drift.drift",
    "embeddings": "headstart.verbs.embeddings",
    "evaluate": "headstart.verbs.evaluate",
    "explain": "headstart.verbs.explain",
    "export": "headstart.verbs.export",
    "extend": "headstart.verbs.extend.extend",
    "forgetting": "headstart.verbs.forgetting",
    "learning_curve": "headstart.verbs.curve.curve",
    "load": "headstart.model.open:open_model",
    "predict": "headstart.verbs.predict",
    "predict_list": "headstart.verbs.predict_list",
    "rank": "headstart.verbs.rank",
    "robustness": "headstart.verbs.robustness",
    "shift": "headstart.verbs.adapt.shift",
    "train": "headstart.verbs.train.train",
    "verify": "headstart.verbs.export",
    "write_report": "headstart.report.write",
}

__all__ = [
    "Options",
    "Predictor",
    "Recipe",
    "TransferClassifier",
    "__version__",
    "adapt",
    "advise",
    "audit",
    "depth",
    "drift",
    "embeddings",
    "evaluate",
    "explain",
    "export",
    "extend",
    "forgetting",
    "learning_curve",
    "load",
    "predict",
    "predict_list",
    "rank",
    "robustness",
    "shift",
    "train",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    module, _, attribute = _HOMES[name].partition(":")
    try:
        return getattr(import_module(module), attribute or name)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        from headstart.errors import NotInRuntime

        raise NotInRuntime(f"headstart.{name}") from None


def __dir__() -> list[str]:
    return sorted(__all__)
