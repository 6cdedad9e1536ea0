"""Prediction from Python as the command line has it: a saved or loaded model, and a folder, files, globs or images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.sources.image_list import image_list
from headstart.data.sources.in_memory import unlabelled_samples
from headstart.data.sources.load import find_images
from headstart.records.predictions import Predictions
from headstart.records.run import Run
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.model.spatial.predictor import SpatialAnswers, SpatialPredictor


def predict(
    model: Path | str | Predictor | SpatialPredictor, images: Any, *, device: str = "auto", cache: bool = False
) -> Predictions | SpatialAnswers:
    """Class probabilities of new images, or what a detector or segmenter sees in them.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded.
    images : path, sequence of paths, or sequence of images
        Files, folders (looked through at any depth) and globs, or PIL images and arrays.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings for the next time.

    Returns
    -------
    Predictions or SpatialAnswers
        Labels and confidences, or objects or class maps, with the images that could not be read.

    Raises
    ------
    DataError
        Where no image is found.

    Examples
    --------
    ::

        headstart.predict("model/", "new-photos/").labels
    """
    from headstart.model.load import load_model
    from headstart.verbs.spatial.python import spatial_model

    detector = spatial_model(model)
    if detector is not None:
        seen = images_of(images)
        return detector.predict(seen.items, names=seen.names)
    predictor: Any = load_model(model) if isinstance(model, (str, os.PathLike)) else model
    samples = items_of(predictor, images)
    predictions: Predictions = predictor.predict(
        samples.items, names=samples.names, device=Run(device=device).choose_device(), cache=cache
    )
    return predictions


def items_of(predictor: Predictor, items: Any) -> Samples:
    """Unlabelled images or texts, as the model takes them."""
    spec = predictor.parts[0].backbone.spec
    return images_of(items) if spec.modality == "image" else spec.find(items)


def images_of(images: Any) -> Samples:
    """Unlabelled images of a place, of several, or of a sequence in memory; `OptionError` for one image in memory."""
    if isinstance(images, Samples):
        return images
    if isinstance(images, (str, os.PathLike)):
        return find_images(images)
    listed = image_list(images)
    paths = listed and all(isinstance(image, Path) for image in listed)
    return find_images(listed) if paths else unlabelled_samples(listed)
