"""What the verbs do from Python where the model is a detector or segmenter, or the labels are boxes or masks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.sources.annotations.find import Form, find_form
from headstart.data.sources.annotations.load import load_annotated
from headstart.errors import DataError, OptionError
from headstart.model.open import find_spatial
from headstart.model.spatial.predictor import SpatialPredictor

if TYPE_CHECKING:
    from headstart.model.export.spatial.parity import SpatialCheck
    from headstart.verbs.spatial.evaluate import SpatialEvaluation


@dataclass(frozen=True, eq=False)
class SpatialParity:
    """How far an exported file's answers are from its model's. checks: every comparison."""

    checks: tuple[SpatialCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether all stay within their limits."""
        return all(check.passed for check in self.checks)


def spatial_model(model: Any) -> SpatialPredictor | None:
    """The detector or segmenter that was given, opened where it is a folder; None for a model of another kind."""
    if isinstance(model, SpatialPredictor):
        return model
    return find_spatial(Path(model)) if isinstance(model, (str, os.PathLike)) else None


def spatial_form(data: Any, labels: Any = None) -> Form | None:
    """The form of a place that holds boxes or masks; None for all other data."""
    return find_form(Path(data)) if labels is None and isinstance(data, (str, os.PathLike)) else None


def refuse_training(data: Any, labels: Any) -> None:
    """Raise `DataError` where a place holds boxes or masks, with how to train on them from Python."""
    form = spatial_form(data, labels)
    if form is not None:
        raise DataError(
            f"{data} holds {form.task}, and headstart.train learns classes: say 'headstart train {data} -o MODEL', or "
            "take load_annotated and train_spatial of headstart.verbs.spatial.train."
        )


def refuse_given(predictor: SpatialPredictor, **options: Any) -> None:
    """Raise `OptionError` for the first option that was given and means nothing for boxes and masks."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(f"{name} means nothing for a model of {predictor.task.name}: leave it out.")


def evaluate_place(predictor: SpatialPredictor, data: Any, split: str | None) -> SpatialEvaluation:
    """The scores on labelled images of a place; raises `DataError` for anything else."""
    from headstart.verbs.spatial.evaluate import evaluate_spatial

    if not isinstance(data, (str, os.PathLike)):
        raise DataError(
            f"a model of {predictor.task.name} is evaluated on a folder or COCO file; found {type(data).__name__}."
        )
    return evaluate_spatial(predictor, load_annotated(Path(data), task=predictor.task.name), split=split)
