"""ImageNet's 1000 classes, and the head that the packaged backbones were trained with.

`classes` are their WordNet ids in the order of the head's outputs; `with_head` gives a packaged backbone with that
head's logits as one more tap. Runs nothing.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from headstart.backbones.graph import LOGITS, Backbone, Tap
from headstart.errors import BackboneError

_IDS = Path(__file__).with_name("imagenet_synsets.txt")


@functools.cache
def classes() -> tuple[str, ...]:
    """The 1000 WordNet ids, in the order of the logits.

    >>> classes()[151], len(classes())
    ('n02085620', 1000)
    """
    lines = _IDS.read_text(encoding="ascii").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def with_head(backbone: Backbone) -> Backbone:
    """A packaged backbone with one tap more, `logits`: the output of its ImageNet head, (N, 1000), before the softmax.

    Of a fine-tuned one: the old head on the new features. Raises `BackboneError` for another backbone, whose
    head is not known.

    >>> from headstart.backbones.opening import open_backbone
    >>> with_head(open_backbone("lite0")).tap("logits").width
    1000
    """
    if not backbone.packaged:
        raise BackboneError(f"the original head of {backbone.name} is not known: only packaged backbones' heads are.")
    head = Tap(LOGITS, len(classes()), len(backbone.taps), "logits")
    return replace(backbone, taps=(*backbone.taps, head))
