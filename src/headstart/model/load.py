"""Opening a saved model: a bundle's files become a `Predictor`, or a sentence on why they cannot.

`load` trusts nothing in the folder: names, shapes, ranges and fingerprints are checked before anything is run, and a
backbone that the bundle does not hold itself must be one of the packaged ones. It predicts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import join_words
from headstart.embed.features import Part
from headstart.errors import BundleError, DataError, OptionError
from headstart.heads.forms.linear import form_from_arrays
from headstart.model import bundle
from headstart.model.predictor import Predictor
from headstart.trust.calibration.methods import calibration_from_dict

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.heads.forms.linear import Form
    from headstart.trust.evidence import GuaranteeRequest, TrustEvidence

MOST_CLASSES = 100_000


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
        raise BundleError(f"{saved.folder} is a model for {manifest['task']!r}, not for classifying images.")
    classes = _classes(saved)
    calibration = calibration_from_dict(manifest["head"]["calibration"], len(classes))
    parts = tuple(_part(saved, entry) for entry in manifest["backbones"])
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
    names = () if kind is None else _taps(saved, entry["novelty"]["taps"], backbone, backbone.name)
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


def _classes(saved: bundle.Bundle) -> tuple[str, ...]:
    names = saved.manifest["classes"]
    are_words = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not are_words or not 2 <= len(names) <= MOST_CLASSES or len(set(names)) < len(names):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: its classes are not a list of different names: "
            "train the model again."
        )
    return tuple(names)


def _part(saved: bundle.Bundle, entry: Mapping[str, Any]) -> Part:
    from headstart.backbones import deltas, words
    from headstart.backbones.graph import read_backbone
    from headstart.backbones.opening import open_backbone
    from headstart.backbones.packaged import PACKAGED, TEXTS

    if entry["packaged"]:
        if entry["name"] not in (*PACKAGED, *TEXTS):  # any other name would be fetched and converted: a stranger's code
            raise BundleError(
                f"{saved.folder} asks for the packaged backbone {entry['name']!r}, and this Headstart carries "
                f"{join_words(PACKAGED)}: upgrade Headstart if you trust the model."
            )
        backbone = open_backbone(entry["name"])
    elif entry["spec"] == {"kind": words.NAME}:
        backbone = words.read_words(saved.file(words.FILE))
    else:
        saved.file(f"{entry['file']}.json")
        saved.file(f"{entry['file']}.onnx")
        backbone = read_backbone(saved.folder, entry["file"])
    if entry.get("delta") is not None:
        backbone = deltas.read_delta(backbone, saved.file(entry["delta"]))
    if backbone.weights != entry["weights"]:
        raise BundleError(
            f"{saved.folder} was trained on other weights of {entry['name']} than this Headstart carries: "
            "install the version that trained it (see 'headstart info'), or train again."
        )
    spec = backbone.spec.chosen_as(entry["spec"])
    if spec.to_dict() != entry["spec"]:
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: it says that {entry['name']} takes another input than its "
            "weights do: train the model again."
        )
    return Part(replace(backbone, spec=spec), _taps(saved, entry["taps"], backbone, entry["name"]))


def _taps(saved: bundle.Bundle, taps_asked: Sequence[str], backbone: Backbone, name: str) -> tuple[str, ...]:
    taps, tap_names = tuple(taps_asked), [tap.name for tap in backbone.taps]
    if not taps or len(set(taps)) < len(taps) or not set(taps) <= set(tap_names):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: it names the taps {taps_asked!r}, and {name} has "
            f"{join_words(tap_names)}: "
            "train the model again."
        )
    return taps


def _check_shapes(saved: bundle.Bundle, form: Form, parts: Sequence[Part], classes: int) -> None:
    """Run the head on one row of zeros: its width must fit the backbones, its columns the classes."""
    width = sum(part.width for part in parts)
    try:
        columns = form.scores(np.zeros((1, width), np.float32)).shape[1]
    except (ValueError, IndexError) as error:
        raise BundleError(f"the head of {saved.folder} does not fit its backbones: train the model again.") from error
    if columns != classes:
        raise BundleError(f"the head of {saved.folder} knows {columns} classes, its manifest {classes}: do not use it.")
