"""Measures how long one image takes in a long run: loading and the forward pass, without any cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.embed import batching
from headstart.embed.engines import open_engine
from headstart.records.samples import ImageSource

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

_FIRST, _MOST, _FACTOR = 2, 128, 4


def seconds_per_image(
    images: Sequence[ImageSource], backbone: Backbone, device: Device, *, enough: float = 0.2
) -> float:
    """Wall seconds an image, from a few of `images` (readable ones, at least one) spread over them all.

    2 images are timed, then 8, 32, 128, until a run has taken `enough` seconds or there are no more images; the last
    run counts. Opening the engine does not. Good to a few tens of per cent, and only for a machine as busy as now.
    """
    engine = open_engine(backbone, device)
    spec = backbone.spec
    count = min(_FIRST, len(images))
    while True:
        positions = [i * len(images) // count for i in range(count)]
        start = time.perf_counter()
        for _ in batching.run_batches(lambda i: spec.load(images[i]), positions, spec, engine):
            pass
        seconds = time.perf_counter() - start
        if seconds >= enough or count == min(_MOST, len(images)):
            return seconds / count
        count = min(count * _FACTOR, _MOST, len(images))
