"""Scores → probabilities by a named method with plain parameters: temperature, vector scaling, isotonic regression.

A `Calibration` is a name and lists of numbers, so a saved model can hold it as JSON; `apply` needs numpy
alone. Fitting takes out-of-fold scores. Which method suits is decided in `trust.calibration.choose`.

**The ranking never changes.** One temperature keeps the order of the classes in every row. Vector scaling and
isotonic regression do not by nature: they may call the second class the more probable one. Here the scores decide
what is answered and calibration only how sure that is: a row whose calibrated probabilities contradict the order of its
scores is moved to the nearest probabilities that do not (their projection on the cone of that order: neighbours that
contradict each other share their mean). Where the scores' order is the true one this only brings the probabilities
nearer to the truth; where it is not, the two classes come out alike, and the doubt is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.errors import BundleError, DataError
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.temperature import fit_temperature, probabilities

METHODS = ("temperature", "vector", "isotonic")
"""Simplest first: the parameters are 1, 2 a class, and a step function a class."""

_MOST_ROWS = 50_000

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    method: one of `METHODS`. temperature: softmax(scores / temperature) is where every method starts. parameters:
    'vector': weight and bias, (K,) each, with weight above 0: softmax(weight × scores / temperature + bias), where each
    row's scores have their mean taken off first (what is added to a row must not matter).
    'isotonic': inputs and outputs, a rising list of knots for each class. blend: the share of the temperature's own
    probabilities in the result, 1 / (rows + 2), so that no class is ever impossible and equal ones keep their order.
    """

    method: str
    temperature: float
    parameters: Mapping[str, Sequence[Any]]
    blend: float = 0.0

    def apply(self, scores: NDArray[Any]) -> Floats:
        """Probabilities (…, K) of scores (…, K), float32; in every row the order of the classes is that of the scores.

        >>> calm = Calibration("temperature", 2.0, {})
        >>> calm.apply(np.array([[2.0, 0.0]])).round(3).tolist()
        [[0.7310000061988831, 0.26899999380111694]]
        """
        plain = probabilities(scores, self.temperature)
        if self.method == "temperature":
            return plain
        flat = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
        raw = self._vector(flat) if self.method == "vector" else self._isotonic(plain.reshape(flat.shape))
        kept = keep_order(raw, flat).reshape(scores.shape)
        return ((1 - self.blend) * kept + self.blend * plain).astype(np.float32)

    def _vector(self, scores: Reals) -> Reals:
        weight, bias = (np.asarray(self.parameters[name], np.float64) for name in ("weight", "bias"))
        return probabilities(weight * _centred(scores) / self.temperature + bias).astype(np.float64)

    def _isotonic(self, plain: Floats) -> Reals:
        """Each class's own step function, then normalised; rows to which every class says 0 stay as they were."""
        knots = zip(self.parameters["inputs"], self.parameters["outputs"], strict=True)
        risen = np.stack([np.interp(plain[:, k], x, y) for k, (x, y) in enumerate(knots)], axis=1)
        total = risen.sum(axis=1, keepdims=True)
        return np.where(total > 0, risen / np.where(total > 0, total, 1.0), plain)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values, which `from_dict` takes back."""
        parameters = {name: _plain(values) for name, values in self.parameters.items()}
        return {"method": self.method, "temperature": self.temperature, "parameters": parameters, "blend": self.blend}


def calibration_from_dict(saved: Mapping[str, Any], classes: int) -> Calibration:
    """A saved calibration of so many classes; `BundleError` where it is damaged. Nothing is taken on trust."""
    try:
        found = Calibration(
            str(saved["method"]), float(saved["temperature"]), dict(saved["parameters"]), float(saved["blend"])
        )
        sound = found.method in METHODS and 1e-6 < found.temperature < 1e6 and 0 <= found.blend <= 1
        sound = sound and _CHECKS[found.method](found.parameters, classes)
    except (KeyError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise BundleError("the saved calibration is damaged, or was written by a newer version: train the model again.")
    return found


def _numbers(values: Any, least: int) -> Reals:
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or len(found) < least or not np.isfinite(found).all():
        raise ValueError
    return found


def _vector_sound(parameters: Mapping[str, Any], classes: int) -> bool:
    weight, bias = (_numbers(parameters[name], classes) for name in ("weight", "bias"))
    return len(weight) == len(bias) == classes and bool((weight > 0).all())


def _isotonic_sound(parameters: Mapping[str, Any], classes: int) -> bool:
    inputs, outputs = ([_numbers(knots, 1) for knots in parameters[name]] for name in ("inputs", "outputs"))
    pairs = list(zip(inputs, outputs, strict=True))
    rising = all(len(x) == len(y) and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all() for x, y in pairs)
    return len(pairs) == classes and rising and all(y.min() >= 0 and y.max() <= 1 for _, y in pairs)


_CHECKS = {"temperature": lambda *_: True, "vector": _vector_sound, "isotonic": _isotonic_sound}


def _centred(scores: Reals) -> Reals:
    return scores - scores.mean(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _plain(values: Any) -> list[Any]:
    return [_plain(each) if isinstance(each, (tuple, list)) else float(each) for each in values]


def keep_order(calibrated: Reals, scores: Reals) -> Reals:
    """The nearest probabilities (least squares) that fall where the scores fall: (n, K) both; rows still sum to one.

    >>> keep_order(np.array([[0.2, 0.5, 0.3]]), np.array([[3.0, 2.0, 1.0]])).round(4).tolist()
    [[0.35, 0.35, 0.3]]
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(calibrated, order, axis=1)
    for row in np.flatnonzero((np.diff(ranked, axis=1) > 0).any(axis=1)):
        ranked[row] = _falling(ranked[row])
    kept = np.empty_like(ranked)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept


def _falling(values: Reals) -> Reals:
    """The nearest falling sequence: neighbours that rise are pooled (scipy has it too, but prediction has no scipy)."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        mean, size = value, 1
        while means and means[-1] < mean:
            mean = (means[-1] * sizes[-1] + mean * size) / (sizes[-1] + size)
            size += sizes.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
    return np.repeat(means, sizes)


def fit_calibration(method: str, scores: NDArray[Any], y: Ints) -> Calibration:
    """Fit one method. scores: (n, K) or (repeats, n, K), out of fold. y: (n,) class numbers.

    Vector scaling: Guo, Pleiss, Sun, Weinberger 2017 (ICML), section 4.2, with positive weights and a weak pull towards
    the temperature alone. Isotonic regression one class against the rest, normalised: Zadrozny and Elkan 2002 (KDD).
    Raises `OptionError` for an unknown method and `DataError` without rows.
    """
    one_of("calibration", method, METHODS)
    if len(y) == 0:
        raise DataError("calibration needs labelled images with out-of-fold scores; found none.")
    temperature = fit_temperature(scores, y)
    if method == "temperature":
        return Calibration(method, temperature, {})
    flat = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
    labels = np.tile(y, len(flat) // len(y))
    fit = _fit_vector if method == "vector" else _fit_isotonic
    return Calibration(method, temperature, fit(flat, labels, temperature, len(y)), 1 / (len(y) + 2))


def _fit_vector(scores: Reals, labels: Ints, temperature: float, rows: int) -> dict[str, Numbers]:
    """Weights and biases of least log-loss, with a normal prior of spread 1 on log-weights and biases."""
    from scipy.optimize import minimize

    step = -(-len(scores) // _MOST_ROWS)
    z, own = _centred(scores[::step]) / temperature, labels[::step]
    classes, pull, picked = z.shape[1], 1.0 / rows, np.arange(len(own))
    doubt = 1.0 / (rows + 2)
    wanted = np.full(z.shape, doubt / max(classes - 1, 1))
    wanted[picked, own] = 1 - doubt

    def loss(theta: Reals) -> tuple[float, Reals]:
        """The mean log-loss and its slope; theta: (2K,) logarithms of the weights, then biases."""
        weight, bias = np.exp(theta[:classes]), theta[classes:]
        moved = weight * z + bias
        moved -= moved.max(axis=1, keepdims=True)
        total = np.exp(moved).sum(axis=1, keepdims=True)
        gap = (np.exp(moved) / total - wanted) / len(own)
        value = float((np.log(total[:, 0]) - (wanted * moved).sum(axis=1)).mean())
        slope = np.concatenate([(gap * z).sum(axis=0) * weight, gap.sum(axis=0)])
        return value + pull / 2 * float(theta @ theta), slope + pull * theta

    bounds = [(-5.0, 5.0)] * classes + [(-20.0, 20.0)] * classes
    found = minimize(loss, np.zeros(2 * classes), jac=True, method="L-BFGS-B", bounds=bounds).x
    return {"weight": tuple(np.exp(found[:classes]).tolist()), "bias": tuple(found[classes:].tolist())}


def _fit_isotonic(scores: Reals, labels: Ints, temperature: float, rows: int) -> dict[str, tuple[Numbers, ...]]:
    """For each class the rising step function from its probability under the temperature to how often it is true."""
    plain = probabilities(scores, temperature).astype(np.float64)
    knots = [_rising(plain[:, k], labels == k) for k in range(plain.shape[1])]
    return {"inputs": tuple(x for x, _ in knots), "outputs": tuple(y for _, y in knots)}


def _rising(inputs: Reals, true: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """The knots of an isotonic regression: the ends of its flat pieces, at different inputs."""
    from scipy.optimize import isotonic_regression

    x, block, sizes = np.unique(inputs, return_inverse=True, return_counts=True)
    y = isotonic_regression(np.bincount(block, weights=true) / sizes, weights=sizes).x
    ends = np.ones(len(y), bool)
    ends[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return tuple(x[ends].tolist()), tuple(np.clip(y[ends], 0.0, 1.0).tolist())
