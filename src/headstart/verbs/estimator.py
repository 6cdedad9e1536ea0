"""`TransferClassifier`: `train` and `Predictor` under scikit-learn's contract, for a Pipeline or cross_val_score.

`fit` takes images (paths, PIL images or arrays) and labels of any kind; labels come back as they were given, and a
saved model has them as text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from headstart.data.sources.image_list import image_list
from headstart.data.sources.values import label_text
from headstart.errors import DataError

if TYPE_CHECKING:
    from headstart.finetune.recipe import Recipe


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An image classifier that measures which way of transferring pays on the images it is given.

    Parameters
    ----------
    backbones : str or sequence of str, optional
        Names of the backbones to embed with; None takes the packaged ones.
    heads : str or sequence of str, optional
        Heads to compare; None takes all that are cheap enough.
    metric : str
        'accuracy', 'balanced-accuracy' or 'macro-f1'.
    class_weight : str, optional
        'balanced' weighs every class alike.
    folds, repeats : int, optional
        Of the cross-validation; None derives them from the number of images and classes.
    min_gain : float
        How much better a costlier candidate must be: 0.005 or "0.5%".
    max_unreadable : float
        The share of unreadable images (0.05 or "5%") above which `fit` raises `DataError`.
    seed : int
        Of everything that is drawn, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings on disk, so that refitting is quick.
    strategies : str or sequence of str, optional
        Fine-tunes of the first backbone to compare with the heads ('last-1', 'full', …; see docs/finetuning.md); ()
        compares heads alone (the default here, because an estimator is fitted many times), None leaves it to the race.
    recipe : Recipe, optional
        How they train; None for its defaults.
    budget : float or str, optional
        How long `fit` may take: seconds, or a time such as "5m"; None for five minutes where `strategies` is None, else
        for no limit.
    max_error : float or str, optional
        The share of automatically accepted predictions that may be wrong, such as 0.02 or "2%".
    confidence : float or str
        The confidence of that guarantee.
    per_class : bool
        Guarantee it for each predicted class.

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
        backbones: str | Sequence[str] | None = None,
        heads: str | Sequence[str] | None = None,
        metric: str = "accuracy",
        class_weight: str | None = None,
        folds: int | None = None,
        repeats: int | None = None,
        min_gain: float | str = 0.005,
        max_unreadable: float | str = 0.05,
        seed: int = 0,
        device: str = "auto",
        cache: bool = True,
        strategies: str | Sequence[str] | None = (),
        recipe: Recipe | None = None,
        budget: float | str | None = None,
        max_error: float | str | None = None,
        confidence: float | str = 0.95,
        per_class: bool = False,
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
        self.max_error = max_error
        self.confidence = confidence
        self.per_class = per_class

    def fit(self, X: Any, y: Any, groups: Any = None) -> TransferClassifier:
        """Measure, choose and fit. X: n images. y: n labels (text or numbers). groups: n, kept whole in the folds."""
        from headstart.data.sources.values import check_labels
        from headstart.verbs.train.train import train

        images = image_list(X)
        labels = _column(y)
        if labels.ndim != 1 or len(labels) != len(images):
            raise DataError(
                f"fit needs one label an image; found {len(images)} images and labels of the shape {labels.shape}: "
                "give equally many."
            )
        check_labels(labels)
        texts = [_text(label, row) for row, label in enumerate(labels.tolist())]
        self.result_ = train(images, texts, groups=groups, options=self._options())
        self.predictor_ = self.result_.predictor
        self.estimate_ = self.result_.estimate
        # The model knows the labels as text, in the order of the text; `classes_` are the labels themselves, in theirs.
        rows = {text: row for row, text in reversed(list(enumerate(texts)))}
        classes = labels[[rows[name] for name in self.predictor_.classes]]
        self._columns = np.argsort(classes, kind="stable")
        self.classes_ = classes[self._columns]
        return self

    def _options(self) -> Any:
        from headstart.backbones.names import AUTO
        from headstart.finetune.recipe import Recipe
        from headstart.pipeline.options import Options

        parameters = self.get_params(deep=False)
        parameters["backbones"] = AUTO if self.backbones is None else self.backbones
        return Options(**{**parameters, "recipe": self.recipe or Recipe()})

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Class probabilities (n, classes), in the order of `classes_`; `DataError` for an unreadable image."""
        from headstart.device import FULL, choose_device

        check_is_fitted(self)
        images = image_list(X)
        device = choose_device(self.device, precision=FULL)
        predictions = self.predictor_.predict(images, device=device, cache=self.cache)
        if predictions.failures:
            first = predictions.failures[0]
            raise DataError(
                f"{len(predictions.failures)} of {len(images)} images cannot be read, the first being {first.name}: "
                f"{first.reason}. Leave them out."
            )
        return predictions.probabilities[:, self._columns]

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each image, as labels were given to `fit`: (n,)."""
        best = self.predict_proba(X).argmax(axis=1)  # says where it is not fitted
        return self.classes_[best]  # type: ignore[no-any-return]


def _column(y: Any) -> NDArray[Any]:
    """Labels as an array (n,); of a table or array with a single column, that column."""
    labels = np.asarray(y if hasattr(y, "__len__") else list(y))
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _text(label: Any, row: int) -> str:
    """The label as a saved model writes it, in the Unicode form that joins equal names."""
    return unicodedata.normalize("NFC", label_text(label, f"the label of image {row}"))
