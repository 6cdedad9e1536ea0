"""Chooses the engine for texts: of an encoder's graph, or of words that were weighed on the user's own texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart.embed.engine import Engine

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device


def open_text_engine(backbone: Backbone, device: Device) -> Engine:
    """The engine of this backbone; texts run on the CPU, whatever the device."""
    if backbone.content is not None:
        from headstart.embed.words_engine import WordsEngine

        return WordsEngine(backbone)
    from headstart.embed.text_engine import TextEngine

    return TextEngine(backbone, precision=device.precision)
