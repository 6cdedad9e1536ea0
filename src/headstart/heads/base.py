"""The base class of all heads: a scikit-learn classifier on embeddings that chooses its own hyper-parameters.

`fit` scores each configuration (a regularisation strength, a number of neighbours, …) on internal stratified folds and
trains the best one on all rows. `path_scores` gives the out-of-fold scores of every configuration on folds that
are given, for a comparison between heads. Prediction goes through a `Form`: numpy alone, and what a bundle stores.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.checks import one_of
from headstart.errors import DataError, OptionError
from headstart.heads.forms.linear import Form
from headstart.heads.side_by_side import blas_threads, run_side_by_side
from headstart.heads.tuning import best_configuration, internal_folds, refined_losses
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

Configuration = Mapping[str, Any]
"""Constructor parameters of a head that fix what `"auto"` leaves open, by name."""
ClassWeight: TypeAlias = str | Mapping[Any, float] | None

_ABSENT_MARGIN = 8.0
"""How far below a row's lowest score a class lies that was absent from the fold's training rows."""


@dataclass(frozen=True, eq=False)
class PathScores:
    """Out-of-fold scores of every configuration.

    configurations: constructor parameters that fix each, simplest first.
    scores: (configurations, repeats, n, K) float32.
    """

    configurations: tuple[dict[str, Any], ...]
    scores: Floats


class Head(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A subclass gives its configurations (`_configurations`) and how to train one of them (`_train`).

    What a constructor may be given beside its hyper-parameters: class_weight, signed_sqrt, random_state.
    Learned: `classes_`, `form_`, `configuration_` (the constructor parameters chosen), `n_features_in_`.
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ()
    """Constructor parameters that `"auto"` leaves to be chosen."""

    classes_: NDArray[Any]
    form_: Form
    configuration_: dict[str, Any]
    _class_weights: NDArray[np.float64] | None

    def fit(self, X: Any, y: Any, *, folds: Ints | None = None) -> Head:
        """Choose the configuration and train it on all rows.

        X: (n, d) numbers. y: (n,) class names or numbers, at least two classes.
        folds: (repeats, n) fold of each row by which the configuration is chosen; None makes five stratified ones.
        Raises `DataError` for a single class, `OptionError` for a parameter or folds that cannot be used.
        """
        X, labels = self._check_fit_input(X, y)
        n_classes = len(self.classes_)
        self._set_class_weights(self.classes_, labels)
        if folds is not None:
            folds = _check_folds(folds, len(X))
        configurations = self._configurations(X, labels)
        with blas_threads(self._blas_threads(X)):
            problem = self._prepare(X, labels, n_classes)
            self.configuration_ = dict(self._choose(problem, labels, n_classes, configurations, folds))
            self.form_ = self._train(problem, labels, n_classes, self.configuration_)
        return self

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """Score every configuration on rows it was not trained on.

        X: (n, d). y: (n,) integers 0..K-1. folds: (repeats, n); a row is scored by the model trained without its
        fold; a row whose fold is -1 is trained on always, and its scores are 0.
        """
        X = np.ascontiguousarray(X, dtype=np.float32)
        labels = np.asarray(y, dtype=np.int64)
        folds = _check_folds(folds, len(X))
        n_classes = int(labels.max()) + 1
        if n_classes < 2:
            raise DataError("at least two classes are needed to compare heads, and one class was found.")
        self._set_class_weights(np.arange(n_classes), labels)
        configurations = self._configurations(X, labels)
        with blas_threads(self._blas_threads(X)):
            problem = self._prepare(X, labels, n_classes)
            scores = self._score_path(problem, labels, n_classes, configurations, folds)
        return PathScores(tuple(dict(configuration) for configuration in configurations), scores)

    def row_losses(self, scores: Floats, labels: Ints) -> Floats:
        """A proper loss of each row (configurations, repeats, n) by which a configuration is chosen.

        Here the log-loss at the temperature that suits all rows of a configuration best. scores: (configurations,
        repeats, n, K). labels: (n,).
        """
        return np.stack([refined_losses(configuration, labels) for configuration in scores])

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

    def _set_class_weights(self, classes: NDArray[Any], labels: Ints) -> None:
        """Remember the weight of each class while training."""
        self._class_weights = weight_of_class(getattr(self, "class_weight", None), classes, labels)

    def _row_weights(self, labels: Ints) -> NDArray[np.float64] | None:
        return None if self._class_weights is None else self._class_weights[labels]

    def _class_weight_by_number(self) -> dict[int, float] | None:
        """The class weights as scikit-learn takes them: by class number."""
        return None if self._class_weights is None else dict(enumerate(self._class_weights.tolist()))

    def _restrict_to(self, present: Ints) -> Head:
        """An unfitted copy for rows of the `present` classes alone, which it numbers 0, 1, …"""
        head: Head = clone(self)
        head._class_weights = None if self._class_weights is None else self._class_weights[present]
        return head

    def _check_fit_input(self, X: Any, y: Any) -> tuple[Floats, Ints]:
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__} needs at least two classes to tell apart, and y holds one class: "
                f"{self.classes_.tolist()[0]!r}."
            )
        return X, labels.astype(np.int64)

    def _choose(
        self, problem: Any, labels: Ints, n_classes: int, configurations: Sequence[Configuration], folds: Ints | None
    ) -> Configuration:
        if len(configurations) == 1:
            return configurations[0]
        folds = internal_folds(labels) if folds is None else folds
        scores = self._score_path(problem, labels, n_classes, configurations, folds)
        return configurations[best_configuration(scores, labels, folds)]

    def _fixed_parameters(self) -> dict[str, Any]:
        """The hyper-parameters that are not "auto", checked."""
        fixed = {name: getattr(self, name) for name in self._hyperparameters if not _is_auto(getattr(self, name))}
        for name, value in fixed.items():
            if isinstance(value, str):
                one_of(name, value, self._allowed_words(name))
            elif not value > 0:
                raise OptionError(f"{name} must be 'auto' or above 0; found {value!r}.")
        return fixed

    def _allowed_words(self, name: str) -> Sequence[str]:
        """The words that a hyper-parameter may be."""
        return ("auto",)

    def _prepare(self, X: Floats, labels: Ints, n_classes: int) -> Any:
        """What all configurations and folds share: the rows, or what a subclass computes from them once."""
        return X

    def _blas_threads(self, X: Floats) -> int | None:
        """Threads of the BLAS for what is not done fold by fold: one; None leaves that to it."""
        return 1

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Arithmetic of scoring every configuration on `fits` folds and training once, in 10⁹ operations.

        n rows, d features, K classes; an operation at the speed of a matrix product in float32. The comparison leaves
        out heads for which its time does not last. Here: some passes over the rows; a slower head overrides it.
        """
        return 400.0 * fits * n * d / 1e9

    @abstractmethod
    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        """The configurations to compare, simplest first."""

    @abstractmethod
    def _train(self, problem: Any, labels: Ints, n_classes: int, configuration: Configuration) -> Form:
        """Train one configuration on all rows; every class 0..n_classes-1 occurs in `labels`."""

    def _score_path(
        self, problem: Any, labels: Ints, n_classes: int, configurations: Sequence[Configuration], folds: Ints
    ) -> Floats:
        """Scores (configurations, repeats, n, n_classes): one training for each fold and configuration.

        A subclass that can share work between folds overrides this.
        """
        scores = np.zeros((len(configurations), *folds.shape, n_classes), dtype=np.float32)

        def score_fold(fold: tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]) -> None:
            """Write the scores of one fold's rows, by heads trained on the others."""
            r, _, train, test = fold
            present, relabelled = np.unique(labels[train], return_inverse=True)
            head = self._restrict_to(present)
            fold_scores = head._fold_scores(problem[train], relabelled, len(present), configurations, problem[test])
            for s, present_scores in enumerate(fold_scores):
                scores[s, r, test] = expand_classes(present_scores, present, n_classes)

        run_side_by_side(score_fold, iterate_folds(folds))
        return scores

    def _fold_scores(
        self, X: Floats, labels: Ints, n_classes: int, configurations: Sequence[Configuration], X_test: Floats
    ) -> Sequence[Floats]:
        """Scores of the rows `X_test` by each configuration trained on `X`."""
        if n_classes < 2:
            return [np.zeros((len(X_test), n_classes), dtype=np.float32) for _ in configurations]
        problem = self._prepare(X, labels, n_classes)
        return [
            self._train(problem, labels, n_classes, configuration).scores(X_test) for configuration in configurations
        ]


def iterate_folds(folds: Ints) -> list[tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]]:
    """(repeat, fold, training rows, held-out rows) for every fold of every repeat; rows of fold -1 always train."""
    parts = []
    for r, numbers in enumerate(folds):
        for fold in np.unique(numbers[numbers >= 0]):
            held_out = numbers == fold
            parts.append((r, int(fold), ~held_out, held_out))
    return parts


def expand_classes(scores: Floats, present: Ints, n_classes: int) -> Floats:
    """Scores (n, present classes) as (n, n_classes); the classes not trained on lie well below the others."""
    if len(present) == n_classes:
        return scores
    full = np.repeat(scores.min(axis=1, keepdims=True) - np.float32(_ABSENT_MARGIN), n_classes, axis=1)
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


def _check_folds(folds: Ints, n: int) -> Ints:
    folds = np.asarray(folds, dtype=np.int64)
    if folds.ndim != 2 or folds.shape[1] != n:
        raise OptionError(f"folds must have the shape (repeats, {n}), a fold for each row; found {folds.shape}.")
    for numbers in folds:
        if len(np.unique(numbers)) < 2:
            raise OptionError("folds must leave rows to train on: two folds at least, or one and rows of fold -1.")
    return folds
