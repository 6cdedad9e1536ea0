"""`TransferClassifier`: `train` and `Predictor` under scikit-learn's contract, for a Pipeline or cross_val_score.

`fit` takes images (paths, PIL images or arrays) and labels of any kind; labels come back as they were given.
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

    Parameters
    ----------
    backbones : sequence of str, optional
        Names of the backbones to embed with; None takes the packaged ones.
    heads : sequence of str, optional
        Heads to compare; None takes all that are cheap enough.
    metric : str
        'accuracy', 'balanced-accuracy' or 'macro-f1'.
    class_weight : str, optional
        'balanced' weighs every class alike.
    folds, repeats : int, optional
        Of the cross-validation; None derives them from the number of images and classes.
    min_gain : float
        How much better a costlier candidate must be, a share of 1.
    max_unreadable : float
        The share of unreadable images, 0 to 1, above which `fit` raises `DataError`.
    seed : int
        Of everything that is drawn, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings on disk, so that refitting is quick.
    strategies : sequence of str, optional
        Fine-tunes of the first backbone to compare with the heads ('last-1', 'full', …; see docs/finetuning.md); ()
        compares heads alone (the default here, because an estimator is fitted many times), None leaves it to the race.
    recipe : Recipe, optional
        How they train; None for its defaults.
    budget : float, optional
        Seconds that `fit` may take; None for five minutes where `strategies` is None, else for no limit.

    Attributes
    ----------
    classes_ : array of K labels
        In the order of the columns of `predict_proba`.
    predictor_ : Predictor
        The model.
    result_ : Model
        The comparison, the estimate, and `save`.
    estimate_ : Estimate
        The measured score with its 95 % interval.

    Notes
    -----
    `n_features_in_` is not set: images have no fixed number of columns.

    Examples
    --------
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
        """Measure, choose and fit. X: n images. y: n labels (text or numbers). groups: n, kept whole in the folds."""
        from headstart.data.sources.values import check_labels
        from headstart.verbs.train.train import train

        labels = np.asarray(y)
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1 or len(labels) != len(X):
            raise DataError(
                f"fit needs one label an image; found {len(X)} images and labels of the shape {labels.shape}: give "
                "equally many."
            )
        check_labels(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        width = len(str(len(classes)))
        words = [f"{code:0{width}d}" for code in codes]  # sorts as the labels do, whatever they are
        self.result_ = train(_images(X), words, groups=groups, options=self._options())
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
        """Class probabilities (n, classes), in the order of `classes_`; `DataError` for an unreadable image."""
        from headstart.device import FULL, choose_device

        check_is_fitted(self)
        predictions = self.predictor_.predict(
            _images(X), device=choose_device(self.device, precision=FULL), cache=self.cache
        )
        if predictions.failures:
            first = predictions.failures[0]
            raise DataError(
                f"{len(predictions.failures)} of {len(X)} images cannot be read, the first being {first.name}: "
                f"{first.reason}. Leave them out."
            )
        return predictions.probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each image, as labels were given to `fit`: (n,)."""
        best = self.predict_proba(X).argmax(axis=1)  # says where it is not fitted
        return self.classes_[best]  # type: ignore[no-any-return]


def _images(X: Any) -> list[ImageSource]:
    return [Path(str(x)) if isinstance(x, str) else x for x in X]
