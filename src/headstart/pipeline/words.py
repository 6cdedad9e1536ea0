"""TF-IDF with logistic regression, what a user would do first: fitted on texts, scored out of fold.

Vocabulary and weights among texts come from the training rows of each fold alone. With many classes and texts logistic
regression takes minutes, and a linear support-vector machine stands in its place (as it is then called).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from headstart.backbones.words import Words
from headstart.data.texts.items import plain_text
from headstart.data.texts.ngrams import terms, vocabulary
from headstart.heads.base import expand_classes, iterate_folds
from headstart.heads.side_by_side import run_side_by_side
from headstart.records.arrays import Floats, Ints

STRENGTH = 10.0
"""The inverse strength C of the penalty."""
_MOST_TERMS = 1 << 17
_MOST_BYTES = 24 << 20
"""Of coefficients in a saved model."""
_LOGISTIC = 60_000
"""Classes × texts up to which logistic regression is affordable."""
_REPEATED = 10_000
"""Classes × texts up to which every repeat of the folds is scored; beyond, the first one stands for all."""


@dataclass(frozen=True, eq=False)
class WordsModel:
    """TF-IDF and a linear model on n texts of K classes. weighted: whether all classes count alike."""

    texts: Sequence[str]
    classes: int
    weighted: bool = False
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def logistic(self) -> bool:
        """Whether logistic regression is used."""
        return self.classes * len(self.texts) <= _LOGISTIC

    @cached_property
    def _counts(self) -> list[Counter[str]]:
        return [terms(plain_text(text)) for text in self.texts]

    @cached_property
    def _terms(self) -> tuple[str, ...]:
        return vocabulary(self._counts, min(_MOST_TERMS, _MOST_BYTES // (2 * self.classes)))

    @cached_property
    def _frequencies(self) -> Any:
        """(n, v) 1 + log of how often each term stands in each text, sparse."""
        from scipy.sparse import csr_matrix

        numbers = {term: i for i, term in enumerate(self._terms)}
        rows, columns, values = [], [], []
        for row, counts in enumerate(self._counts):
            known = [(numbers[term], count) for term, count in counts.items() if term in numbers]
            rows += [row] * len(known)
            columns += [number for number, _ in known]
            values += [count for _, count in known]
        data = 1 + np.log(np.array(values, np.float32))
        return csr_matrix((data, (rows, columns)), shape=(len(self.texts), max(1, len(self._terms))))

    def scores(self, labels: Ints, folds: Ints) -> Floats:
        """Out-of-fold scores (repeats, n, K)."""
        repeats = len(folds)
        folds = folds if self.classes * len(self.texts) <= _REPEATED else folds[:1]
        scores = np.zeros((*folds.shape, self.classes), np.float32)
        frequencies = self._frequencies

        def score_fold(fold: Any) -> None:
            """Write the scores of one fold's rows."""
            repeat, _, train, test = fold
            present, numbers = np.unique(labels[train], return_inverse=True)
            idf = _idf(frequencies[train])
            coefficients, intercept = self._fit(_unit(frequencies[train], idf), numbers, len(present))
            raw = _unit(frequencies[test], idf) @ coefficients + intercept
            scores[repeat, test] = expand_classes(np.asarray(raw, np.float32), present, self.classes)

        run_side_by_side(score_fold, iterate_folds(folds))
        return scores if len(folds) == repeats else np.repeat(scores, repeats, axis=0)

    def fit(self, labels: Ints) -> Words:
        """The model on all texts."""
        idf = _idf(self._frequencies)
        coefficients, intercept = self._fit(_unit(self._frequencies, idf), labels, self.classes)
        return Words(self._terms, idf, coefficients.astype(np.float16), intercept.astype(np.float32))

    def _fit(self, X: Any, labels: Ints, classes: int) -> tuple[Any, Any]:
        """Coefficients (v, K) and intercept (K,); of two classes the second's score over the first's, halved."""
        weight = "balanced" if self.weighted else None
        if self.logistic:
            from sklearn.linear_model import LogisticRegression

            model: Any = LogisticRegression(C=STRENGTH, max_iter=200, tol=1e-3, class_weight=weight)
        else:
            from sklearn.svm import LinearSVC

            model = LinearSVC(C=1.0, class_weight=weight, tol=1e-3, random_state=0)
        model.fit(X, labels)
        if classes == 2:
            half, bias = model.coef_[0] / 2, model.intercept_[0] / 2
            return np.stack([-half, half], axis=1), np.array([-bias, bias])
        return model.coef_.T, model.intercept_


def _idf(frequencies: Any) -> Floats:
    """log((1 + n) / (1 + texts with the term)) + 1; 0 for a term that is in none."""
    count = np.asarray((frequencies > 0).sum(axis=0)).ravel()
    idf = np.log((1 + frequencies.shape[0]) / (1 + count)) + 1
    return np.where(count > 0, idf, 0.0).astype(np.float32)


def _unit(frequencies: Any, idf: Floats) -> Any:
    """Rows of length one, sparse."""
    from scipy.sparse import diags
    from sklearn.preprocessing import normalize

    return normalize(frequencies @ diags(idf), copy=False)
