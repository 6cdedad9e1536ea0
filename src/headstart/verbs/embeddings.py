"""Embeddings from Python as the command line has them: what a backbone makes of each image, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart import checks
from headstart.data.images.decode import FITS
from headstart.embed.features import embed_backbone, with_fit
from headstart.records.embeddings import Embeddings
from headstart.records.run import Run
from headstart.verbs.predict import images_of

_LAST, _ALL = "last", "all"


def embeddings(
    images: Any,
    *,
    backbone: str = "lite0",
    taps: str | Sequence[str] = _LAST,
    weights: str | None = None,
    fit: str = FITS[0],
    device: str = "auto",
    cache: bool = True,
) -> Embeddings:
    """The numbers that a backbone gives for each image.

    Parameters
    ----------
    images : path, sequence of paths, or sequence of images
        Files, folders (looked through at any depth) and globs, or PIL images and arrays.
    backbone : str
        Its name (see `headstart backbones`).
    taps : str or sequence of str
        'last', 'all', or names of layers.
    weights : str, optional
        A checkpoint (.safetensors, .pth) instead of the published weights.
    fit : str
        How an image becomes a square: its centre ('crop'), or the whole of it ('squeeze', 'pad').
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep them for the next time.

    Returns
    -------
    Embeddings
        `aligned()` is a row for every image, NaN where it could not be read; `taps` holds a matrix (n, width) by
        layer of the readable ones, `rows` which images those are, `failures` the others with the reason.

    Raises
    ------
    DataError
        Where no image is found.

    Examples
    --------
    ::

        headstart.embeddings("photos/").aligned().shape
    """
    from headstart.backbones.opening import open_backbone

    checks.one_of("fit", fit, FITS)
    opened = with_fit(open_backbone(backbone, weights=None if weights is None else Path(weights)), fit)
    names = [tap.name for tap in opened.taps]
    if taps == _LAST:
        names = names[-1:]
    elif taps != _ALL:
        words = taps.split(",") if isinstance(taps, str) else taps
        names = [opened.tap(word.strip()).name for word in words]
    return embed_backbone(images_of(images), opened, Run(device=device, cache=cache), taps=names)
