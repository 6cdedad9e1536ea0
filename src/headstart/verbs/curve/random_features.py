"""Random features of the same networks: what the curve would be without pretraining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.backbones.opening import open_backbone
from headstart.embed.features import embed_backbone
from headstart.errors import BackboneError, MissingExtra
from headstart.pipeline.candidates import LAYERS

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.pipeline.prepare import Prepared
    from headstart.records.embeddings import Embeddings
    from headstart.records.run import Run


def random_networks(backbones: Sequence[Backbone]) -> tuple[list[Backbone], list[str]]:
    """The same networks with random weights; none, and why, where one of them cannot be had."""
    try:
        names = [f"random:{backbone.facts.get('asked', backbone.name)}" for backbone in backbones]
        return [open_backbone(name) for name in names], []
    except MissingExtra as error:
        return [], [f"Random features are left out: making them needs the extra {error.extra!r} once."]
    except BackboneError as error:
        return [], [f"Random features are left out: {error}"]


def embed_random(prepared: Prepared, backbone: Backbone, run: Run) -> Embeddings:
    """The last layers of a network with random weights, for the prepared samples."""
    taps = [tap.name for tap in backbone.taps[-LAYERS:]]
    return embed_backbone(prepared.samples, backbone, run, taps=taps, label="embedding, random weights")
