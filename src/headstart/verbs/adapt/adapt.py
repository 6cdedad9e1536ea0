"""Makes a model for another domain from one that exists and images of that domain, mostly or wholly without labels.

`adapt` compares the domains, and where adapting is chosen fits a head to the source's labels and the target's taken
answers; the result is an ordinary `Model`. Where nothing speaks for it no model is made. Only the head is fitted: the
network stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adaptation.few_labels import FOLDS, answer_with_labels
from headstart.adaptation.student import teach
from headstart.metrics.probability import softmax
from headstart.model.model import Model
from headstart.model.predictor import Predictor
from headstart.model.rows import weight_fingerprints
from headstart.model.trust import TrustFit
from headstart.pipeline.trust import calibrate_scores
from headstart.records.run import Run
from headstart.trust.calibration.methods import Calibration
from headstart.trust.evidence import JudgedPredictions, TrustEvidence
from headstart.verbs.adapt.compare import begin_table, compare
from headstart.verbs.adapt.origin import Origin, open_origin
from headstart.verbs.adapt.result import Shift
from headstart.verbs.adapt.target import Target, embed_target

if TYPE_CHECKING:
    from headstart.adaptation.domains import Domains, Tables
    from headstart.records.arrays import Floats

ADAPTED_HEAD = "adapted"
ENOUGH_LABELS = 59
"""Accepted predictions without an error from which on at most 5 % are wrong with 95 % confidence: 0.95⁵⁹ < 0.05."""


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What came of adapting.

    Attributes
    ----------
    shift : Shift
        The comparison of the domains, with the reason for what was done.
    model : Model, optional
        The adapted model, ready to `save`; None where nothing was done.
    """

    shift: Shift
    model: Model | None


def adapt(
    model: Any,
    target: Any,
    *,
    target_labels: Any = None,
    allow_missing: bool = False,
    origins: Mapping[str, str] | None = None,
    max_unreadable: float = 0.05,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> Adaptation:
    """Adapt a model to images of another domain; nothing is done where nothing speaks for it.

    Parameters
    ----------
    model : path, Predictor or Model
        A saved model that holds its training rows, or what `train` returned; it stays as it is.
    target : path, sequence of images, or dataset
        At least 30 images of the domain that the model is to work in; no labels needed.
    target_labels : path or dataset, optional
        A few labelled images of that domain, among the others or besides: what `train` takes.
    allow_missing : bool
        Whether the labels may lack classes of the model.
    origins : mapping, optional
        Where the training images come from several domains: fingerprint of an image (`Samples.content`) → the name of
        its domain. Each is then standardised by itself.
    max_unreadable : float
        The share of unreadable images above which nothing is done.
    seed : int
        Of what is drawn.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings for the next run.

    Returns
    -------
    Adaptation
        The comparison, and the adapted model or None.

    Raises
    ------
    OptionError
        The model does not hold its training rows.
    DataError
        For fewer than 30 images, images that the model was trained on, or labels that it does not know.

    Examples
    --------
    ::

        result = headstart.adapt("model/", "night/")
        if result.model is not None:
            result.model.save("night-model/")
    """
    run = Run(seed=seed, device=device, cache=cache, max_unreadable=max_unreadable)
    origin = open_origin(model, run)
    images = embed_target(target, target_labels, origin, run, allow_missing=allow_missing)
    shift, domains = compare(origin, images, origins=origins)
    return Adaptation(shift, _model(origin, images, shift, domains) if shift.adapts else None)


def _model(origin: Origin, target: Target, shift: Shift, domains: Domains) -> Model:
    labelled = (target.rows, target.labels) if len(target.rows) else None
    form, _ = teach(domains, shift.choice.table, labelled=labelled, axes=shift.choice.axes)
    expected = shift.measured[1] if shift.measured is not None else shift.after or shift.before
    calibration = Calibration("temperature", temperature_for(form.scores(target.X), expected.value), {})
    trust = _trust(origin, target, shift, domains, calibration.temperature)
    record = None if trust is None else trust.record
    predictor = Predictor(origin.predictor.classes, origin.predictor.parts, form, calibration, trust=record)
    return Model(
        predictor=predictor,
        race=origin.race,
        about=replace(origin.about, name=f"{origin.about.name}, adapted"),
        head=ADAPTED_HEAD,
        calibration=calibrate_scores(origin.race.out_of_fold, origin.rows),
        trust=trust,
        held_out=None,
        left_out=(),
        failures=target.failures,
        data=origin.data,
        training=origin.training,
        notes=(_SCORES, *shift.notes, *(() if trust is None else trust.notes)),
        seconds={"adapting": shift.seconds},
        extension={
            "adapted_from": {"name": origin.name, "manifest": origin.mark, "images": len(origin.rows)},
            "adaptation": shift.to_dict(),
        },
    )


_SCORES = (
    "The scores are those of the labelled source images by the head that the model was adapted from; what to expect "
    "on the target stands in its adaptation."
)


def temperature_for(scores: Floats, accuracy: float) -> float:
    """The temperature under which the mean confidence is the accuracy to expect: no label of the target tells it
    better.

    scores: (m, K).

    >>> round(temperature_for(np.array([[2.0, 0.0], [0.0, 2.0]], np.float32), 0.731), 1)
    2.0
    """
    wanted = min(max(accuracy, 1.05 / scores.shape[1]), 0.99)
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        sure = float(softmax(scores / middle).max(axis=1).mean())
        low, high = (middle, high) if sure > wanted else (low, middle)
    return float(np.sqrt(low * high))


def _trust(origin: Origin, target: Target, shift: Shift, domains: Domains, temperature: float) -> TrustFit | None:
    """The evidence for guarantees: labelled target images alone, each predicted by a head without it; None for few."""
    if len(target.rows) < ENOUGH_LABELS:
        return None
    crossed = _crossed(domains, begin_table(shift.choice), target, temperature)
    record = TrustEvidence(JudgedPredictions(crossed, target.labels))
    note = (
        f"Guarantees rest on the {len(target.rows):,} labelled images of the target: they hold where these were drawn "
        "at random."
    )
    return TrustFit(record, weight_fingerprints(origin.predictor.parts), len(target.rows), None, (note,))


def _crossed(domains: Domains, begin: Tables, target: Target, temperature: float) -> Floats:
    """(labelled, K): probabilities of the labelled images by heads made as the model's is, without them."""
    rows, labels = target.rows, target.labels
    folds = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    crossed = np.zeros((len(rows), domains.classes), np.float32)
    for fold in range(FOLDS):
        held = folds == fold
        table = answer_with_labels(domains, begin, rows[~held], labels[~held])
        form, _ = teach(domains, table, labelled=(rows[~held], labels[~held]))
        crossed[held] = softmax(form.scores(target.X[rows[held]]) / temperature)
    return crossed
