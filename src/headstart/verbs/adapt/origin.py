"""The model that is adapted: a saved one, one in memory, or a quick one of a labelled folder, with its kept rows.

`open_origin` gives an `Origin`; it fits nothing but, for a folder of images, one ridge head on the packaged backbone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.choose.race import RaceResult, race
from headstart.choose.strategy import About
from headstart.errors import OptionError
from headstart.model.bundle import MANIFEST
from headstart.model.facts import DataFacts, TrainingFacts
from headstart.model.model import Model
from headstart.model.predictor import Predictor
from headstart.model.refit import read_recipe
from headstart.model.rows import read_rows
from headstart.pipeline.candidates import HeadStrategy, prediction_cost
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.records.run import Run


@dataclass(frozen=True, eq=False)
class Origin:
    """What an adapted model is made from.

    predictor: the model at work. rows: the labelled source rows that its head looks at. race: its head's out-of-fold
    scores on them. about: its head. training, data: as saved. name: what to call it. mark: the fingerprint of its
    manifest; empty for a model in memory.
    """

    predictor: Predictor
    rows: Rows
    race: RaceResult
    about: About
    training: TrainingFacts
    data: DataFacts
    name: str
    mark: str = ""


def open_origin(source: Any, run: Run) -> Origin:
    """The origin of a saved model's folder, a predictor, a model in memory, or labelled images.

    Raises `OptionError` where the model does not hold its training rows, and for a fine-tuned one.
    """
    if isinstance(source, Model):
        return _of_model(source, "the model")
    is_place = isinstance(source, (str, os.PathLike))
    if isinstance(source, Predictor) or (is_place and (Path(source) / MANIFEST).is_file()):
        return _of_saved(source)
    return _of_model(_quick_model(source, run), str(source) if is_place else "the source")


def _quick_model(source: Any, run: Run) -> Model:
    """One ridge head on the last layers of the smallest packaged backbone."""
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    device = run.device if isinstance(run.device, str) else run.device.kind
    return train(
        source,
        options=Options(
            backbones=("lite0",),
            heads=("ridge",),
            repeats=1,
            seed=run.seed,
            device=device,
            cache=run.cache,
            max_unreadable=run.max_unreadable,
        ),
    )


def _of_model(model: Model, name: str) -> Origin:
    if model.rows is None:
        raise OptionError(_no_rows(name))
    return Origin(model.predictor, model.rows, model.race, model.about, model.training, model.data, name)


def _of_saved(source: Any) -> Origin:
    from headstart.model.load import load_with_bundle

    predictor, saved = load_with_bundle(source)
    rows = read_rows(saved, predictor.classes, predictor.parts)
    if rows is None or any(part.backbone.delta is not None for part in predictor.parts):
        raise OptionError(_no_rows(str(saved.folder)))
    recipe, head = read_recipe(predictor, saved, retune=False), saved.manifest["head"]
    about = About(str(head["candidate"]), str(head["features"]), prediction_cost(predictor.parts))
    strategy = HeadStrategy(
        about,
        recipe.name,
        recipe.signed_sqrt,
        predictor.parts,
        rows.features,
        recipe.class_weight,
        recipe.seed,
        fixed=recipe.configuration or {},
    )
    result = race([strategy], rows, metric=recipe.metric, seed=recipe.seed)
    training = TrainingFacts(recipe.metric, recipe.class_weight, recipe.seed, rows.fold_count, len(rows.folds))
    mark = fingerprint.hash_file(saved.folder / MANIFEST)
    return Origin(predictor, rows, result, about, training, _facts(rows), str(saved.folder), mark)


def _facts(rows: Rows) -> DataFacts:
    counts = rows.target.describe()
    marks = fingerprint.hash_parts(list(rows.content), rows.target.fingerprint())
    return DataFacts(len(rows), counts, 0, rows.fold_count, len(rows.folds), marks, {}, len(rows))


def _no_rows(name: str) -> str:
    return (
        f"{name} does not hold the embeddings of its training images (--no-keep-training, a fine-tuned, adapted or "
        "very large model), and adapting needs them: train it again with --keep-training and heads alone (--strategy "
        "frozen)."
    )
