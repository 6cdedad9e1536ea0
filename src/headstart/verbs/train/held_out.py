"""Scores the fitted model on the split that was kept apart, and hands on what novelty looks at."""

from __future__ import annotations

import numpy as np

from headstart.data.splits import Division
from headstart.device import FULL, choose_device
from headstart.embed.features import join_parts
from headstart.metrics.class_report import scorecard
from headstart.model.evaluation import Evaluation
from headstart.model.predictor import Features, Predictor
from headstart.model.trust import TrustFit
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared
from headstart.pipeline.trust import add_held_out
from headstart.records.arrays import Floats, Ints
from headstart.trust.novelty.by_layer import MOST_LAYERS


def score_held_out(
    predictor: Predictor, trust: TrustFit, prepared: Prepared, division: Division, options: Options
) -> tuple[Evaluation | None, TrustFit]:
    """The winner's scores on the split that was kept apart, None where there is none; and what is kept of them."""
    index = division.held_out
    if not len(index):
        return None, trust
    samples = prepared.samples.take(index)
    device = choose_device(options.device, precision=FULL)
    X = _features(predictor, prepared, index)
    if X is None:  # a fine-tuned network has not seen these images yet
        predictions = predictor.predict(samples.items, names=samples.names, device=device)
    elif device != options.run.choose_device():  # they are at hand in a quicker precision than that of predictions
        predictions = predictor.predict(samples.items, names=samples.names, device=device, cache=options.cache)
    else:
        layers = last_layers(predictor, prepared, index)
        stacked = None if layers is None else np.hstack(list(layers.values()))
        predictions = predictor.answer(Features(X, samples.names, layers=stacked))
    card = scorecard(samples.labels, predictions.probabilities, samples.classes, groups=samples.groups)
    return Evaluation(len(index), card), add_held_out(trust, predictions, samples.labels, samples.groups)


def _features(predictor: Predictor, prepared: Prepared, index: Ints) -> Floats | None:
    """What the predictor's head looks at, from the embeddings at hand; None where they are of other weights."""
    tables = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    parts = predictor.parts
    if any(part.backbone.weights not in tables for part in parts):
        return None
    return join_parts([tables[part.backbone.weights] for part in parts], [part.taps for part in parts]).X[index]


def last_layers(predictor: Predictor, prepared: Prepared, index: Ints) -> dict[str, Floats] | None:
    """What novelty looks at: tap name → (n, d), from the embeddings at hand; None where they are of other weights."""
    tables = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    table = tables.get(predictor.parts[0].backbone.weights)
    return None if table is None else {tap: table.taps[tap][index] for tap in list(table.taps)[-MOST_LAYERS:]}
