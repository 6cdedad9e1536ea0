"""Opens a saved model of any task: the manifest's task says which room assembles it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import BundleError, DataError
from headstart.model import bundle
from headstart.model.bundle import Bundle
from headstart.model.load import load_model

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.model.spatial.predictor import SpatialPredictor

SPATIAL = ("boxes", "masks")


def open_model(folder: Path | str) -> Predictor | SpatialPredictor:
    """Open a saved model. Nothing in the folder is trusted, and none of its code is run.

    Parameters
    ----------
    folder : path
        What `headstart train -o` wrote.

    Returns
    -------
    Predictor or SpatialPredictor
        The model, ready for new images: the first for classes, the second for boxes and masks.

    Raises
    ------
    BundleError
        The model is absent, damaged, hostile, or made by a newer Headstart.

    Examples
    --------
    ::

        model = headstart.load("model/")
        model.predict(["new.jpg"])
    """
    found = find_spatial(folder)
    return load_model(folder) if found is None else found


def find_spatial(folder: Path | str) -> SpatialPredictor | None:
    """The detector or segmenter in a folder; None where the model there is of another kind. Raises `BundleError`."""
    return _assemble(bundle.read_bundle(folder)) if bundle.read_task(folder) in SPATIAL else None


def _assemble(saved: Bundle) -> SpatialPredictor:
    """The detector or segmenter of a bundle; raises `BundleError`."""
    from headstart.model.spatial.load import assemble_spatial

    try:
        return assemble_spatial(saved)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        if isinstance(error, (DataError, BundleError)):
            raise
        raise BundleError(
            f"the manifest of {saved.folder} is damaged ({type(error).__name__}: {error}): train the model again."
        ) from error
