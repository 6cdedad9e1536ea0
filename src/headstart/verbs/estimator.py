"""`TransferClassifier`: the whole line under scikit-learn's contract, in a Pipeline or cross_val_score too.

`fit` takes pictures (paths, PIL images or arrays) and labels of any kind; labels come back as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from headstart.errors import DataError
from headstart.records.samples import ImageSource

if TYPE_CHECKING:
    from headstart.finetune.recipe import Recipe


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An image classifier that measures which way of transferring pays on the images it is given.

    backbones: backbones to embed with; None takes the packaged ones. heads: heads to compare; None takes all that are
    cheap enough. metric: 'accuracy', 'balanced-accuracy' or 'macro-f1'. class_weight: None or 'balanced'.
    folds, repeats: of the cross-validation (None: derived from the number of images). min_gain: how much
    better a costlier candidate must be. max_unreadable: share of unreadable pictures above which `fit` raises.
    device: 'auto', 'cpu', 'cuda' or 'mps'. cache: keep embeddings on disk, so that refitting is quick.
    strategies: fine-tunes of the first backbone to compare with the heads ('last-1', 'full', …; see
    docs/finetuning.md); () compares heads alone (the default here, because an estimator is fitted many times), None
    leaves it to the race. recipe: how they train, a `headstart.Recipe`; None for its defaults. budget: seconds that
    `fit` may take; None for five minutes where strategies is None, else for no limit.

    Learned: classes_, predictor_ (a `Predictor`), result_ (a `Trained`: comparison, estimate, `save`), estimate_ (the
    measured score with its interval), n_features_in_ is not set (pictures have no fixed number of columns).

    >>> from headstart import TransferClassifier
    >>> model = TransferClassifier(heads=("ridge",), backbones=("efficientnet_lite0",))
    >>> model.get_params()["metric"]
    'accuracy'
    """

    def __init__(
        self,
        *,
        backbones: Sequence[str] | None = None,
        heads: Sequence[str] | None = None,
        metric: str = "accuracy",
        class_weight: str | None = None,
        folds: int | None = None,
        repeats: int | None = None,
        min_gain: float = 0.005,
        max_unreadable: float = 0.05,
        seed: int = 0,
        device: str = "auto",
        cache: bool = True,
        strategies: Sequence[str] | None = (),
        recipe: Recipe | None = None,
        budget: float | None = None,
    ) -> None:
        self.backbones = backbones
        self.heads = heads
        self.metric = metric
        self.class_weight = class_weight
        self.folds = folds
        self.repeats = repeats
        self.min_gain = min_gain
        self.max_unreadable = max_unreadable
        self.seed = seed
        self.device = device
        self.cache = cache
        self.strategies = strategies
        self.recipe = recipe
        self.budget = budget

    def fit(self, X: Any, y: Any, groups: Any = None) -> TransferClassifier:
        """Measure, choose and fit. X: n pictures. y: n labels (text or numbers). groups: n, kept whole in the folds."""
        from headstart.verbs.train.train import train

        labels = np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(X):
            raise DataError(
                f"fit needs one label a picture; found {len(X)} pictures and labels of the shape {labels.shape}."
            )
        classes, codes = np.unique(labels, return_inverse=True)
        width = len(str(len(classes)))
        words = [f"{code:0{width}d}" for code in codes]  # sorts as the labels do, whatever they are
        self.result_ = train(_pictures(X), words, groups=groups, options=self._options())
        present = [int(word) for word in self.result_.predictor.classes]
        self.classes_ = classes[present]
        self.predictor_ = self.result_.predictor
        self.estimate_ = self.result_.estimate
        return self

    def _options(self) -> Any:
        from headstart.backbones.names import AUTO
        from headstart.finetune.recipe import Recipe
        from headstart.pipeline.options import Options

        return Options(
            backbones=tuple(self.backbones) if self.backbones is not None else (AUTO,),
            heads=tuple(self.heads) if self.heads is not None else None,
            metric=self.metric,
            class_weight=self.class_weight,
            folds=self.folds,
            repeats=self.repeats,
            min_gain=self.min_gain,
            max_unreadable=self.max_unreadable,
            seed=self.seed,
            device=self.device,
            cache=self.cache,
            strategies=None if self.strategies is None else tuple(self.strategies),
            budget=self.budget,
            recipe=self.recipe or Recipe(),
        )

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Class probabilities (n, classes), in the order of `classes_`; `DataError` for an unreadable picture."""
        from headstart.device import choose_device
        from headstart.embed.embedding_cache import open_cache

        check_is_fitted(self)
        found = self.predictor_.predict(
            _pictures(X), device=choose_device(self.device), cache=open_cache if self.cache else None
        )
        if found.failures:
            first = found.failures[0]
            raise DataError(
                f"{len(found.failures)} of {len(X)} pictures cannot be read, the first being {first.name}: "
                f"{first.reason}. Leave them out."
            )
        return found.probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each picture, as labels were given to `fit`."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]  # type: ignore[no-any-return]


def _pictures(X: Any) -> list[ImageSource]:
    return [Path(str(x)) if isinstance(x, str) else x for x in X]
