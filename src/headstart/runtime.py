"""A saved model at work: pictures in, class probabilities out, without torch, timm or scikit-learn.

`load` opens a bundle; `Predictor.predict` runs the same decode, the same graphs and the same head arithmetic that the
model was measured with. It does not train, calibrate or choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import bundle
from headstart.checks import listed
from headstart.errors import BundleError, DataError
from headstart.records import Embeddings, Failure, Floats, ImageSource, Predictions
from headstart.trust.temperature import probabilities

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.embed.cache import EmbeddingCache
    from headstart.heads.forms import Form

MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Part:
    """A piece of the head's input: these taps of this backbone, in this order."""

    backbone: Backbone
    taps: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """The head's input for the images that every backbone could read."""

    X: Floats
    rows: NDArray[np.int64]
    failures: tuple[Failure, ...]


def join(embedded: Sequence[Embeddings], taps: Sequence[tuple[str, ...]]) -> Joined:
    """Put the taps of several backbones side by side, for the rows that none of them failed on."""
    rows = embedded[0].rows
    for other in embedded[1:]:
        rows = np.intersect1d(rows, other.rows)
    columns = [e.joined(names)[np.isin(e.rows, rows)] for e, names in zip(embedded, taps, strict=True)]
    failures = {f.row: f for e in embedded for f in e.failures}
    X = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return Joined(X, rows, tuple(failures[row] for row in sorted(failures)))


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained classifier, ready for new pictures.

    classes: what it can answer. parts: where its numbers come from. form: its head. temperature: what its scores are
    divided by before the softmax (> 0). manifest: what is known of it, as saved.
    """

    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    form: Form
    temperature: float
    manifest: Mapping[str, Any] = field(repr=False, default_factory=dict)

    def predict(
        self,
        images: Sequence[ImageSource | str],
        *,
        names: Sequence[str] | None = None,
        device: Device | None = None,
        cache: EmbeddingCache | Callable[[Backbone], EmbeddingCache] | None = None,
    ) -> Predictions:
        """Class probabilities of pictures: paths, PIL images or uint8 arrays (height, width[, 1|3|4]).

        Pictures that cannot be read are left out and listed in the result's `failures`.
        """
        from headstart.embed.extract import embed

        pictures = [Path(image) if isinstance(image, str) else image for image in images]
        names = list(names) if names is not None else [name_of(p, i) for i, p in enumerate(pictures)]
        embedded = [
            embed(
                pictures,
                part.backbone,
                names=names,
                taps=part.taps,
                device=device,
                cache=cache(part.backbone) if callable(cache) else cache,
            )
            for part in self.parts
        ]
        joined = join(embedded, [part.taps for part in self.parts])
        kept = tuple(names[row] for row in joined.rows)
        return Predictions(kept, self.classes, self.probabilities(joined.X), joined.failures)

    def probabilities(self, X: Floats) -> Floats:
        """Class probabilities of embeddings (n, width), the parts' taps side by side."""
        if len(X) == 0:
            return np.zeros((0, len(self.classes)), np.float32)
        return probabilities(self.form.scores(X), self.temperature)


def name_of(image: ImageSource, position: int) -> str:
    """What to call a picture in tables and messages: its path, or its position."""
    return str(image) if isinstance(image, Path) else f"image {position}"


def load(folder: Path | str) -> Predictor:
    """Open a saved model. Raises `BundleError` when it is absent, damaged, hostile or too new."""
    saved = bundle.read(folder)
    try:
        return _assemble(saved)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise BundleError(
            f"the manifest of {saved.folder} is damaged ({type(error).__name__}: {error}): train the model again."
        ) from error


def _assemble(saved: bundle.Bundle) -> Predictor:
    from headstart.heads.forms import from_arrays

    manifest = saved.manifest
    if manifest["task"] != "classify":
        raise BundleError(f"{saved.folder} is a model for {manifest['task']!r}, not for classifying images.")
    classes = _classes(saved)
    temperature = float(manifest["head"]["temperature"])
    if not 1e-6 < temperature < 1e6:
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: its temperature is {temperature}: train it again."
        )
    parts = tuple(_part(saved, entry) for entry in manifest["backbones"])
    form = from_arrays(manifest["head"]["kind"], saved.arrays(manifest["head"]["file"]))
    _check_shapes(saved, form, parts, len(classes))
    return Predictor(classes, parts, form, temperature, manifest)


def _classes(saved: bundle.Bundle) -> tuple[str, ...]:
    found = saved.manifest["classes"]
    names = isinstance(found, list) and all(isinstance(name, str) for name in found)
    if not names or not 2 <= len(found) <= MOST_CLASSES or len(set(found)) < len(found):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: its classes are not a list of different names: "
            "train the model again."
        )
    return tuple(found)


def _part(saved: bundle.Bundle, entry: Mapping[str, Any]) -> Part:
    from headstart.backbones import changes
    from headstart.backbones.graph import PACKAGED, open_backbone, read_backbone

    if entry["packaged"]:
        if entry["name"] not in PACKAGED:  # any other name would be fetched and converted: a stranger's code
            raise BundleError(
                f"{saved.folder} asks for the packaged backbone {entry['name']!r}, and this Headstart carries "
                f"{listed(PACKAGED)}: upgrade Headstart if you trust the model."
            )
        backbone = open_backbone(entry["name"])
    else:
        saved.file(f"{entry['file']}.json")
        saved.file(f"{entry['file']}.onnx")
        backbone = read_backbone(saved.folder, entry["file"])
    if entry.get("changes") is not None:
        backbone = changes.read(backbone, saved.file(entry["changes"]))
    if backbone.weights != entry["weights"]:
        raise BundleError(
            f"{saved.folder} was trained on other weights of {entry['name']} than this Headstart carries: "
            "install the version that trained it (see 'headstart info'), or train again."
        )
    taps = tuple(entry["taps"])
    known = [tap.name for tap in backbone.taps]
    if not taps or len(set(taps)) < len(taps) or not set(taps) <= set(known):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: it names the taps {entry['taps']!r}, and {entry['name']} "
            f"has {listed(known)}: train the model again."
        )
    return Part(backbone, taps)


def _check_shapes(saved: bundle.Bundle, form: Form, parts: Sequence[Part], classes: int) -> None:
    """Run the head on one row of zeros: its width must fit the backbones, its columns the classes."""
    width = sum(tap.width for part in parts for tap in part.backbone.taps if tap.name in part.taps)
    try:
        columns = form.scores(np.zeros((1, width), np.float32)).shape[1]
    except (ValueError, IndexError) as error:
        raise BundleError(f"the head of {saved.folder} does not fit its backbones: train the model again.") from error
    if columns != classes:
        raise BundleError(f"the head of {saved.folder} knows {columns} classes, its manifest {classes}: do not use it.")
