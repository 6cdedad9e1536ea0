"""The rows that a head was trained on, kept in the bundle so that classes can be added later without the old images.

A row is what the head looks at (the joined taps, float32 as they were embedded: a refit is then the same computation
as training), its class, the fold it was measured in, its group, and the fingerprint of its image. No image and no
path is kept. Rows from a bundle are checked like everything else in it. Nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays

if TYPE_CHECKING:
    from headstart.embed.features import Part
    from headstart.model.bundle import Bundle
    from headstart.model.predictor import Predictor

ROWS_FILE = "training.safetensors"
MOST_BYTES = 128 << 20
"""Larger rows are not kept: a bundle is read whole, and checked, whenever the model is opened."""
_LAYOUT: Layout = {"X": ("f4", "nd"), "labels": ("i8", "n"), "folds": ("i8", "Rn"), "content": ("u1", "nb")}
_DIGEST = 16


def arrays_of(rows: Rows) -> Arrays:
    """The arrays that `read_rows` takes back."""
    digests = np.frombuffer(bytes.fromhex("".join(rows.content)), np.uint8).reshape(len(rows), _DIGEST)
    arrays: dict[str, NDArray[Any]] = {"X": rows.features, "labels": rows.labels, "folds": rows.folds}
    arrays["content"] = digests
    return arrays if rows.groups is None else {**arrays, "groups": rows.groups}


def weight_fingerprints(parts: Sequence[Part]) -> tuple[str, ...]:
    """The fingerprints of the parts' weights."""
    return tuple(part.backbone.weights for part in parts)


def rows_to_save(rows: Rows, *, keep: bool) -> tuple[Rows | None, tuple[str, ...]]:
    """The rows that a bundle is to hold, or None with a note where the user should know.

    A fine-tuned network's embeddings of the training images were never computed: rows without X are not kept.
    """
    if not keep or rows.X is None:
        return None, ()
    if rows.X.nbytes <= MOST_BYTES:
        return rows, ()
    size = f"{rows.X.nbytes / (1 << 20):,.0f} MB, more than {MOST_BYTES >> 20}"
    note = (
        f"The embeddings of the {quantity(len(rows), 'image')} ({size}) are not kept with the model: "
        "'headstart extend' will ask for the images (--old-data)."
    )
    return None, (note,)


def read_rows(saved: Bundle, classes: Sequence[str], parts: Sequence[Part]) -> Rows | None:
    """The rows in a bundle, checked; None where it holds none."""
    if ROWS_FILE not in saved.manifest["files"]:
        return None
    arrays = saved.arrays(ROWS_FILE)
    width = sum(tap.width for part in parts for tap in part.backbone.taps if tap.name in part.taps)
    what = f"record of training rows in {saved.folder}"
    arrays = check_arrays(what, arrays, _LAYOUT if "groups" not in arrays else {**_LAYOUT, "groups": ("i8", "n")})
    if problem := _contradiction(arrays, len(classes), width):
        raise array_error(what, problem)
    content = tuple(row.tobytes().hex() for row in arrays["content"])
    target = Classes(arrays["labels"], tuple(classes))
    return Rows(target, arrays["folds"], arrays.get("groups"), content, arrays["X"], weight_fingerprints(parts))


def training_content(saved: Bundle, predictor: Predictor) -> frozenset[str]:
    """Fingerprints of the images that a saved model was trained on; empty where the bundle does not hold them."""
    rows = read_rows(saved, predictor.classes, predictor.parts)
    return frozenset() if rows is None else frozenset(rows.content)


def _contradiction(arrays: Arrays, classes: int, width: int) -> str:
    """What keeps checked arrays from being rows of this model; empty where nothing does."""
    n = len(arrays["X"])
    if n < 2 or arrays["X"].shape[1] != width or arrays["content"].shape[1] != _DIGEST:
        return "its rows do not fit the model's backbones"
    labels, folds = arrays["labels"], arrays["folds"]
    if set(np.unique(labels).tolist()) != set(range(classes)):
        return "its labels are not those of the model's classes"
    if (
        not 1 <= len(folds) <= 100
        or folds.min() < 0
        or folds.max() >= min(n, 1000)
        or any(len(np.unique(repeat)) < 2 for repeat in folds)
    ):
        return "its folds are not folds"
    return ""
