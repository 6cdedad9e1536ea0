"""What every head is: a scikit-learn classifier on embeddings that can also score a whole path of settings.

`fit` tries each setting (a strength, a number of neighbours, …) on internal stratified folds, keeps the best and
trains on all rows with it. `path_scores` gives the out-of-fold scores of every setting on folds from outside, for an
honest comparison between heads. Prediction goes through a `Form`: numpy alone, and what a bundle stores.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.checks import one_of
from headstart.device import threads
from headstart.errors import DataError, OptionError
from headstart.heads.forms.linear import Form
from headstart.heads.tuning import best_configuration, internal_folds
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

Setting = Mapping[str, Any]
ClassWeight: TypeAlias = str | Mapping[Any, float] | None

_UNSEEN = 8.0
"""How far below a row's lowest score a class lies that the fold's training rows did not hold."""


@dataclass(frozen=True, eq=False)
class PathScores:
    """Out-of-fold scores of every setting tried.

    settings: constructor parameters that fix each setting, simplest first. scores: (settings, repeats, n, K) float32.
    """

    settings: tuple[dict[str, Any], ...]
    scores: Floats


class Head(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base of all heads. A subclass gives its settings, and how to train one setting.

    Learned: `classes_`, `form_`, `setting_` (the constructor parameters chosen), `n_features_in_`.
    """

    _tuned: ClassVar[tuple[str, ...]] = ()
    """Constructor parameters that `"auto"` leaves to be chosen."""

    classes_: NDArray[Any]
    form_: Form
    setting_: dict[str, Any]
    _class_weights: NDArray[np.float64] | None

    def fit(self, X: Any, y: Any, *, folds: Ints | None = None) -> Head:
        """Choose the setting and train on all rows.

        X: (n, d) numbers. y: (n,) class names or numbers, at least two classes.
        folds: (repeats, n) fold of each row by which the setting is chosen; None makes five stratified ones.
        """
        X, labels = self._checked(X, y)
        count = len(self.classes_)
        self._weigh(self.classes_, labels)
        if folds is not None:
            folds = _checked_folds(folds, len(X))
        settings = self._settings(X, labels)
        prepared = self._prepare(X, labels, count)
        self.setting_ = dict(self._chosen(prepared, labels, count, settings, folds))
        self.form_ = self._train(prepared, labels, count, self.setting_)
        return self

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """Score every setting on rows it was not trained on.

        X: (n, d). y: (n,) integers 0..K-1. folds: (repeats, n); a row is scored by the model trained without its
        fold; a row whose fold is -1 is trained on always, and its scores are 0.
        """
        X = np.ascontiguousarray(X, dtype=np.float32)
        labels = np.asarray(y, dtype=np.int64)
        folds = _checked_folds(folds, len(X))
        count = int(labels.max()) + 1
        if count < 2:
            raise DataError("at least two classes are needed to compare heads, and one class was found.")
        self._weigh(np.arange(count), labels)
        settings = self._settings(X, labels)
        scores = self._path(self._prepare(X, labels, count), labels, count, settings, folds)
        return PathScores(tuple(dict(setting) for setting in settings), scores)

    def decision_function(self, X: Any) -> Floats:
        """Scores (n, K); for two classes (n,), positive for the second."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: Any) -> Floats:
        """Softmax of the scores, (n, K); not calibrated."""
        return softmax(self._scores(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]  # type: ignore[no-any-return]

    def _scores(self, X: Any) -> Floats:
        check_is_fitted(self, "form_")
        return self.form_.scores(validate_data(self, X, dtype=np.float32, order="C", reset=False))

    def _weigh(self, classes: NDArray[Any], labels: Ints) -> None:
        """Keep the weight of each class while training."""
        self._class_weights = weight_of_class(getattr(self, "class_weight", None), classes, labels)

    def _row_weights(self, labels: Ints) -> NDArray[np.float64] | None:
        return None if self._class_weights is None else self._class_weights[labels]

    def _by_number(self) -> dict[int, float] | None:
        """The class weights as scikit-learn takes them."""
        return None if self._class_weights is None else dict(enumerate(self._class_weights.tolist()))

    def _narrowed(self, present: Ints) -> Head:
        """This head for rows that hold only the `present` classes, numbered anew."""
        head: Head = clone(self)
        head._class_weights = None if self._class_weights is None else self._class_weights[present]
        return head

    def _checked(self, X: Any, y: Any) -> tuple[Floats, Ints]:
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__} needs at least two classes to tell apart, and y holds one class: "
                f"{self.classes_.tolist()[0]!r}."
            )
        return X, labels.astype(np.int64)

    def _chosen(
        self, prepared: Any, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints | None
    ) -> Setting:
        if len(settings) == 1:
            return settings[0]
        folds = internal_folds(labels) if folds is None else folds
        scores = self._path(prepared, labels, count, settings, folds)
        return settings[best_configuration(scores, labels, folds)]

    def _fixed(self) -> dict[str, Any]:
        """The tuned parameters that the user has fixed."""
        fixed = {name: getattr(self, name) for name in self._tuned if not _is_auto(getattr(self, name))}
        for name, value in fixed.items():
            if isinstance(value, str):
                one_of(name, value, self._words(name))
            elif not value > 0:
                raise OptionError(f"{name} must be 'auto' or above 0; found {value!r}.")
        return fixed

    def _words(self, name: str) -> Sequence[str]:
        return ("auto",)

    def _prepare(self, X: Floats, labels: Ints, count: int) -> Any:
        """What all settings and folds share; the rows themselves unless a subclass knows better."""
        return X

    @abstractmethod
    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        """The settings to try, simplest first."""

    @abstractmethod
    def _train(self, prepared: Any, labels: Ints, count: int, setting: Setting) -> Form:
        """Train one setting on all rows; `labels` are 0..count-1, none of them missing."""

    def _path(self, prepared: Any, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints) -> Floats:
        """Scores (settings, repeats, n, count): one training a fold and setting, unless a subclass knows better.

        Folds are trained side by side, each on one thread: small products of matrices gain nothing from several.
        """
        from threadpoolctl import threadpool_limits

        scores = np.zeros((len(settings), *folds.shape, count), dtype=np.float32)

        def fill(fold: tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]) -> None:
            """Write the scores of one fold's rows, by heads trained on the others."""
            r, _, train, test = fold
            present, relabelled = np.unique(labels[train], return_inverse=True)
            head = self._narrowed(present)
            columns = head._fold_scores(prepared[train], relabelled, len(present), settings, prepared[test])
            for s, found in enumerate(columns):
                scores[s, r, test] = expand_classes(found, present, count)

        with threadpool_limits(1), ThreadPoolExecutor(threads()) as pool:
            list(pool.map(fill, iterate_folds(folds)))
        return scores

    def _fold_scores(
        self, X: Floats, labels: Ints, count: int, settings: Sequence[Setting], held: Floats
    ) -> Sequence[Floats]:
        """Scores of the `held` rows by each setting trained on `X`."""
        if count < 2:
            return [np.zeros((len(held), count), dtype=np.float32) for _ in settings]
        prepared = self._prepare(X, labels, count)
        return [self._train(prepared, labels, count, setting).scores(held) for setting in settings]


def iterate_folds(folds: Ints) -> list[tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]]:
    """(repeat, fold, training rows, held-out rows) for every fold of every repeat; rows of fold -1 are never held."""
    found = []
    for r, numbers in enumerate(folds):
        for fold in np.unique(numbers[numbers >= 0]):
            held = numbers == fold
            found.append((r, int(fold), ~held, held))
    return found


def expand_classes(scores: Floats, present: Ints, count: int) -> Floats:
    """Scores of the `present` classes set into (n, count); the classes not trained on lie well below."""
    if len(present) == count:
        return scores
    full = np.repeat(scores.min(axis=1, keepdims=True) - np.float32(_UNSEEN), count, axis=1)
    full[:, present] = scores
    return full


def weight_of_class(class_weight: ClassWeight, classes: NDArray[Any], labels: Ints) -> NDArray[np.float64] | None:
    """Weight of a row of each class (K,), or None where all rows weigh the same.

    "balanced" is n / (K · size of the class): every class counts the same. A mapping gives weights by class; classes
    that it leaves out weigh 1.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, Mapping):
        weights = np.array([float(class_weight.get(name, 1.0)) for name in classes.tolist()])
        if not (np.isfinite(weights).all() and (weights > 0).all()):
            raise OptionError(f"class_weight must give weights above 0; found {dict(class_weight)!r}.")
        return weights
    if class_weight != "balanced":
        raise OptionError(f"class_weight must be None, 'balanced' or a mapping; found {class_weight!r}.")
    sizes = np.bincount(labels, minlength=len(classes))
    return len(labels) / (len(classes) * np.maximum(sizes, 1))


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _checked_folds(folds: Ints, n: int) -> Ints:
    folds = np.asarray(folds, dtype=np.int64)
    if folds.ndim != 2 or folds.shape[1] != n:
        raise OptionError(f"folds must have the shape (repeats, {n}), a fold for each row; found {folds.shape}.")
    for numbers in folds:
        if len(np.unique(numbers)) < 2:
            raise OptionError("folds must leave rows to train on: two folds at least, or one and rows of fold -1.")
    return folds
