"""Whether images to predict come from another domain than the labelled ones, what that costs, and what to do."""

from __future__ import annotations

from typing import Any

from headstart.records.run import Run
from headstart.verbs.adapt.compare import compare
from headstart.verbs.adapt.origin import open_origin
from headstart.verbs.adapt.result import Shift
from headstart.verbs.adapt.target import embed_target


def shift(source: Any, target: Any, *, seed: int = 0, device: str = "auto", cache: bool = True) -> Shift:
    """Compare labelled images with unlabelled ones of another place, day, device or style.

    Parameters
    ----------
    source : path or model
        A saved model (with its kept rows), a `Model`, or labelled images as `train` takes them.
    target : path, sequence of images, or dataset
        At least 30 images of the other domain; labels are not looked at.
    seed : int
        Of what is drawn.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings for the next run.

    Returns
    -------
    Shift
        How well the domains are told apart, by layer too; the accuracy to expect, with a band; the classes' shares; the
        images to label first.

    Raises
    ------
    DataError
        For fewer than 30 images, or images that stand on both sides.

    References
    ----------
    Proxy A-distance: Ben-David et al. 2010. BBSE: Lipton, Wang and Smola 2018 (https://arxiv.org/abs/1802.03916).

    Examples
    --------
    ::

        result = headstart.shift("model/", "night/")
        result.shifted, result.before, result.label_first
    """
    run = Run(seed=seed, device=device, cache=cache)
    origin = open_origin(source, run)
    return compare(origin, embed_target(target, None, origin, run))[0]
