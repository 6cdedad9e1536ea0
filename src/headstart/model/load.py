"""Opening a saved model: a bundle's files become a `Predictor`, or a sentence on why they cannot.

`load` trusts nothing in the folder: names, shapes, ranges and fingerprints are checked before anything is run, and a
backbone that the bundle does not hold itself must be one of the packaged ones. It predicts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.embed.features import Part
from headstart.errors import BundleError, DataError, OptionError
from headstart.heads.forms.linear import form_from_arrays
from headstart.model import bundle
from headstart.model.parts import classes_of, part_of, taps_of
from headstart.model.predictor import Predictor
from headstart.trust.calibration.methods import calibration_from_dict

if TYPE_CHECKING:
    from headstart.heads.forms.linear import Form
    from headstart.trust.evidence import GuaranteeRequest, TrustEvidence


def load_model(folder: Path | str) -> Predictor:
    """Open a saved model. Nothing in the folder is trusted, and none of its code is run.

    Parameters
    ----------
    folder : path
        What `Model.save` or `headstart train -o` wrote.

    Returns
    -------
    Predictor
        The model, ready for new images. It needs neither torch nor scikit-learn.

    Raises
    ------
    BundleError
        The model is absent, damaged, hostile, or made by a newer Headstart.

    Examples
    --------
    ::

        model = headstart.load("model/")
        model.predict(["new.jpg"]).labels
    """
    saved = bundle.read_bundle(folder)
    try:
        return _assemble(saved)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise BundleError(
            f"the manifest of {saved.folder} is damaged ({type(error).__name__}: {error}): train the model again."
        ) from error


def load_with_bundle(model: Path | str | Predictor) -> tuple[Predictor, bundle.Bundle]:
    """A saved model and its bundle; of a predictor that was loaded already the bundle is not read again.

    Raises `OptionError` for a predictor that was not loaded from a folder, else as `load_model`.
    """
    predictor = model if isinstance(model, Predictor) else load_model(model)
    if predictor.bundle is None:
        raise OptionError("the model was not loaded from a folder: save it, and give the folder.")
    return predictor, predictor.bundle


def _assemble(saved: bundle.Bundle) -> Predictor:
    manifest = saved.manifest
    if manifest["task"] != "classify":
        raise BundleError(
            f"{saved.folder} is a model for {manifest['task']!r}, which this command cannot use: predict, evaluate and "
            "info can."
        )
    classes = classes_of(saved)
    calibration = calibration_from_dict(manifest["head"]["calibration"], len(classes))
    parts = tuple(part_of(saved, entry) for entry in manifest["backbones"])
    form = form_from_arrays(manifest["head"]["kind"], saved.arrays(manifest["head"]["file"]))
    _check_shapes(saved, form, parts, len(classes))
    return Predictor(classes, parts, form, calibration, manifest, _trust(saved, parts, len(classes)), bundle=saved)


def _trust(saved: bundle.Bundle, parts: Sequence[Part], classes: int) -> TrustEvidence | None:
    """The evidence for guarantees; None where the bundle holds none."""
    entry = saved.manifest.get("trust")
    if entry is None:
        return None
    from headstart.trust.evidence import evidence_from_arrays

    kind = None if entry["novelty"] is None else str(entry["novelty"]["kind"])
    default_guarantee = None if entry["guarantee"] is None else _guarantee(entry["guarantee"])
    joined = sum(part.width for part in parts)
    backbone = parts[0].backbone
    names = () if kind is None else taps_of(saved, entry["novelty"]["taps"], backbone, backbone.name)
    taps = {name: backbone.tap(name).width for name in names}
    return evidence_from_arrays(
        saved.arrays(entry["file"]),
        classes=classes,
        kind=kind,
        taps=taps,
        joined=joined,
        default_guarantee=default_guarantee,
    )


def _guarantee(entry: Mapping[str, Any]) -> GuaranteeRequest:
    from headstart.trust.evidence import GuaranteeRequest

    if entry["scope"] not in ("all", "class"):
        raise ValueError(f"a guarantee of the scope {entry['scope']!r}")
    return GuaranteeRequest(float(entry["max_error"]), float(entry["confidence"]), entry["scope"] == "class")


def _check_shapes(saved: bundle.Bundle, form: Form, parts: Sequence[Part], classes: int) -> None:
    """Run the head on one row of zeros: its width must fit the backbones, its columns the classes."""
    width = sum(part.width for part in parts)
    try:
        columns = form.scores(np.zeros((1, width), np.float32)).shape[1]
    except (ValueError, IndexError) as error:
        raise BundleError(f"the head of {saved.folder} does not fit its backbones: train the model again.") from error
    if columns != classes:
        raise BundleError(f"the head of {saved.folder} knows {columns} classes, its manifest {classes}: do not use it.")
