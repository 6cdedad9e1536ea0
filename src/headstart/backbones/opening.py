"""Opens a backbone by name: packaged, converted before, or converted now."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from headstart.backbones.graph import Backbone, read_backbone
from headstart.backbones.packaged import PACKAGED, PACKAGED_FOLDER, SHORT, TEXTS, text_folder
from headstart.errors import BackboneError, NotInRuntime


def open_backbone(name: str, *, weights: Path | None = None) -> Backbone:
    """The backbone of this name: packaged with Headstart, else from the cache, else converted now.

    A folder with a text network, or `hf:owner/name`, is one of texts (see `conversion/texts.py`).

    weights: a checkpoint for the named architecture, instead of the published weights. Conversion needs
    `headstart[finetune]`, and the network's weights where they are not on this machine. Raises `BackboneError` for a
    name that nobody knows or weights that cannot be had, `MissingExtra` without the extra.

    >>> open_backbone("lite0").last
    Tap(name='conv_head', width=1280, depth=8, kind='last')
    """
    name = SHORT.get(name, name)
    if name in PACKAGED and weights is None:
        return read_backbone(PACKAGED_FOLDER, name)
    if name in TEXTS and weights is None:
        return read_backbone(text_folder(), name)
    if find_spec("headstart.backbones.conversion") is None:
        raise NotInRuntime(f"converting the backbone {name}")
    from headstart.backbones.conversion.texts import is_text_name, open_text_network

    if is_text_name(name):
        if weights is not None:
            raise BackboneError(
                f"the text network {name!r} brings its own weights: leave the checkpoint {weights} out."
            )
        return open_text_network(name)
    from headstart.backbones.conversion.convert import convert, find_converted

    return find_converted(name, weights=weights) or convert(name, weights=weights)
