"""Converted backbones in the user's cache folder: which there are, and under which name one is kept.

A backbone is kept as `<key>.onnx` and `<key>.json`. The key is the name that was asked for where that says everything;
a name with other characters, a checkpoint, a seed or a size of its own adds eight hexadecimal digits. This module
converts nothing and needs no torch.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from headstart import fingerprint
from headstart.backbones.graph import Backbone, read_backbone
from headstart.backbones.packaged import PACKAGED
from headstart.checks import join_words
from headstart.errors import BackboneError, BundleError
from headstart.storage.folders import BACKBONES, cache_folder

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.]*", re.IGNORECASE)


@dataclass(frozen=True)
class ConversionRequest:
    """What was asked for.

    weights: a checkpoint to read instead of the published weights. seed: draw random weights instead. size: side of the
    input in pixels, None for the network's own.
    """

    name: str
    weights: Path | None = None
    seed: int | None = None
    size: int | None = None


def folder() -> Path:
    """Where converted backbones are kept; it need not exist."""
    return cache_folder(BACKBONES)


def key(wanted: ConversionRequest) -> str:
    """The file name, without suffix, of the backbone that this request makes.

    >>> key(ConversionRequest("resnet18.a1_in1k")), key(ConversionRequest("torchvision:resnet18"))
    ('resnet18.a1_in1k', 'torchvision_resnet18-a23a023b')
    """
    parts = (wanted.name, _content(wanted.weights), wanted.seed, wanted.size)
    if _PLAIN.fullmatch(wanted.name) and parts[1:] == (None, None, None):
        return wanted.name
    plain = re.sub(r"[^A-Za-z0-9_.]+", "_", wanted.name).strip("_.") or "backbone"
    return f"{plain}-{fingerprint.hash_parts(*parts)[:8]}"


def _content(weights: Path | None) -> str | None:
    if weights is None:
        return None
    try:
        return fingerprint.hash_file(weights)
    except OSError as error:
        raise BackboneError(f"the weights {weights} cannot be read: {error.strerror}.") from error


def kept(wanted: ConversionRequest) -> Backbone | None:
    """The backbone converted earlier for this request; None where there is none, or a damaged one.

    A name from `converted()` alone means that very backbone, whatever it was made from.
    """
    name = wanted.name if wanted == ConversionRequest(wanted.name) and wanted.name in converted() else key(wanted)
    try:
        return read_backbone(folder(), name) if (folder() / f"{name}.json").is_file() else None
    except BundleError:
        return None


def converted() -> tuple[str, ...]:
    """The names of the backbones that have been converted on this machine, sorted."""
    return tuple(sorted(path.stem for path in folder().glob("*.json") if path.with_suffix(".onnx").is_file()))


def available() -> str:
    """The backbones that can be used here and now, as part of a sentence."""
    found = converted()
    return f"{join_words(PACKAGED)} (packaged)" + (f", {join_words(found)} (converted)" if found else "")


def downloaded(timm_name: str) -> bool:
    """Whether timm's published weights of this name lie in the hub's cache on this machine."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return any((hub / f"models--timm--{timm_name}" / "snapshots").glob("*/*model*"))
