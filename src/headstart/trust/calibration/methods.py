"""Calibration: scores → probabilities by a named method with plain parameters, temperature or vector scaling.

A `Calibration` is a name and lists of numbers, so a saved model can hold it as JSON; `apply` needs numpy
alone. Fitting takes out-of-fold scores. Which method suits is decided in `trust.calibration.choose`.

**The ranking never changes.** One temperature keeps the order of the classes in every row. Vector scaling does not by
nature: it may call the second class the more probable one. Here the scores decide the predicted class and calibration
only its confidence: a row whose calibrated probabilities contradict the order of its scores is moved to the nearest
probabilities that do not (their projection on the cone of that order: neighbours that contradict each other share their
mean). Where the scores' order is the true one this only brings the probabilities nearer to the truth; where it is not,
the two classes come out alike, and the uncertainty is seen.
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

METHODS = ("temperature", "vector")
"""Simplest first: 1 parameter, and 2 a class."""

_MOST_ROWS = 50_000

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    method: one of `METHODS`. temperature: softmax(scores / temperature) is where every method starts. parameters:
    'vector': weight and bias, (K,) each, with weight above 0: softmax(weight × scores / temperature + bias), where each
    row's scores have their mean taken off first (what is added to a row must not matter). blend: the share of the
    temperature's own probabilities in the result, 1 / (samples + 2), so that no class is ever impossible and equal ones
    keep their order.
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
        ordered = keep_order(self.vector_scaled(flat), flat).reshape(scores.shape)
        return ((1 - self.blend) * ordered + self.blend * plain).astype(np.float32)

    def vector_scaled(self, scores: Reals) -> Reals:
        """softmax(weight × centred scores / temperature + bias), (n, K): what 'vector' is before its order is kept."""
        weight, bias = (np.asarray(self.parameters[name], np.float64) for name in ("weight", "bias"))
        return probabilities(weight * _centred(scores) / self.temperature + bias).astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values, which `calibration_from_dict` takes back."""
        parameters = {name: [float(value) for value in values] for name, values in self.parameters.items()}
        return {"method": self.method, "temperature": self.temperature, "parameters": parameters, "blend": self.blend}


def calibration_from_dict(saved: Mapping[str, Any], classes: int) -> Calibration:
    """A saved calibration of so many classes; `BundleError` where it is damaged. Nothing is taken on trust."""
    try:
        calibration = Calibration(
            str(saved["method"]), float(saved["temperature"]), dict(saved["parameters"]), float(saved["blend"])
        )
        sound = calibration.method in METHODS
        sound = sound and 1e-6 < calibration.temperature < 1e6 and 0 <= calibration.blend <= 1
        sound = sound and (calibration.method == "temperature" or _vector_sound(calibration.parameters, classes))
    except (KeyError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise BundleError("the saved calibration is damaged, or was written by a newer version: train the model again.")
    return calibration


def _numbers(values: Any, least: int) -> Reals:
    parsed = np.asarray(values, np.float64)
    if parsed.ndim != 1 or len(parsed) < least or not np.isfinite(parsed).all():
        raise ValueError
    return parsed


def _vector_sound(parameters: Mapping[str, Any], classes: int) -> bool:
    weight, bias = (_numbers(parameters[name], classes) for name in ("weight", "bias"))
    return len(weight) == len(bias) == classes and bool((weight > 0).all())


def _centred(scores: Reals) -> Reals:
    return scores - scores.mean(axis=1, keepdims=True)  # type: ignore[no-any-return]


def keep_order(calibrated: Reals, scores: Reals) -> Reals:
    """The nearest probabilities (least squares) that fall where the scores fall: (n, K) both; rows still sum to one.

    >>> keep_order(np.array([[0.2, 0.5, 0.3]]), np.array([[3.0, 2.0, 1.0]])).round(4).tolist()
    [[0.35, 0.35, 0.3]]
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(calibrated, order, axis=1)
    for row in np.flatnonzero((np.diff(ranked, axis=1) > 0).any(axis=1)):
        ranked[row] = _falling(ranked[row])
    restored = np.empty_like(ranked)
    np.put_along_axis(restored, order, ranked, axis=1)
    return restored


def _falling(values: Reals) -> Reals:
    """The nearest falling sequence, by pooling adjacent violators (scipy has it too, but prediction has no scipy)."""
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


def fit_calibration(method: str, scores: NDArray[Any], labels: Ints) -> Calibration:
    """Fit one method. scores: (n, K) or (repeats, n, K), out of fold. labels: (n,) class numbers.

    Vector scaling: Guo, Pleiss, Sun, Weinberger 2017 (ICML), section 4.2, with positive weights and a weak penalty that
    draws it towards the temperature alone. Raises `OptionError` for an unknown method and `DataError` without rows.
    """
    one_of("calibration", method, METHODS)
    if len(labels) == 0:
        raise DataError("calibration needs labelled images with out-of-fold scores; found none.")
    temperature = fit_temperature(scores, labels)
    if method == "temperature":
        return Calibration(method, temperature, {})
    flat = scores.reshape(-1, scores.shape[-1]).astype(np.float64)
    parameters = _fit_vector(flat, np.tile(labels, len(flat) // len(labels)), temperature, len(labels))
    return Calibration(method, temperature, parameters, 1 / (len(labels) + 2))


def _fit_vector(scores: Reals, labels: Ints, temperature: float, samples: int) -> dict[str, Numbers]:
    """Weights and biases of least log-loss, with a normal prior of standard deviation 1 on log-weights and biases."""
    from scipy.optimize import minimize

    step = -(-len(scores) // _MOST_ROWS)
    z, labels = _centred(scores[::step]) / temperature, labels[::step]
    classes, penalty = z.shape[1], 1.0 / samples
    epsilon = 1.0 / (samples + 2)  # Platt's smoothed targets: 1 - epsilon for the label, the rest shared
    targets = np.full(z.shape, epsilon / max(classes - 1, 1))
    targets[np.arange(len(labels)), labels] = 1 - epsilon

    def loss(theta: Reals) -> tuple[float, Reals]:
        """The penalised mean log-loss and its gradient; theta: (2K,) logarithms of the weights, then biases."""
        weight, bias = np.exp(theta[:classes]), theta[classes:]
        logits = weight * z + bias
        logits -= logits.max(axis=1, keepdims=True)
        total = np.exp(logits).sum(axis=1, keepdims=True)
        residual = (np.exp(logits) / total - targets) / len(labels)  # dL/dlogits of cross-entropy: p - target
        value = float((np.log(total[:, 0]) - (targets * logits).sum(axis=1)).mean())
        # dlogits/d(log weight) = weight × z, dlogits/dbias = 1
        gradient = np.concatenate([(residual * z).sum(axis=0) * weight, residual.sum(axis=0)])
        return value + penalty / 2 * float(theta @ theta), gradient + penalty * theta

    bounds = [(-5.0, 5.0)] * classes + [(-20.0, 20.0)] * classes
    theta = minimize(loss, np.zeros(2 * classes), jac=True, method="L-BFGS-B", bounds=bounds).x
    return {"weight": tuple(np.exp(theta[:classes]).tolist()), "bias": tuple(theta[classes:].tolist())}
