"""Converted backbones in the user's cache folder: lists them, names them, finds one.

A backbone is stored as `<key>.onnx` and `<key>.json`. The key is the name that was asked for where that says
everything; a name with other characters, a checkpoint, a seed or a size of its own adds eight hexadecimal digits. This
module converts nothing and needs no torch.
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
    """The arguments of a conversion.

    name: as `networks.py` reads it. weights: a checkpoint to read instead of the published weights. seed: draw random
    weights instead. size: side of the input in pixels, None for the network's own.
    """

    name: str
    weights: Path | None = None
    seed: int | None = None
    size: int | None = None


def converted_folder() -> Path:
    """Where converted backbones lie; it need not exist."""
    return cache_folder(BACKBONES)


def file_stem(request: ConversionRequest) -> str:
    """The file name, without suffix, of the backbone that this request makes.

    >>> file_stem(ConversionRequest("resnet18.a1_in1k")), file_stem(ConversionRequest("torchvision:resnet18"))
    ('resnet18.a1_in1k', 'torchvision_resnet18-a23a023b')
    """
    parts = (request.name, _content(request.weights), request.seed, request.size)
    if _PLAIN.fullmatch(request.name) and parts[1:] == (None, None, None):
        return request.name
    plain = re.sub(r"[^A-Za-z0-9_.]+", "_", request.name).strip("_.") or "backbone"
    return f"{plain}-{fingerprint.hash_parts(*parts)[:8]}"


def _content(weights: Path | None) -> str | None:
    if weights is None:
        return None
    try:
        return fingerprint.hash_file(weights)
    except OSError as error:
        raise BackboneError(f"the weights {weights} cannot be read: {error.strerror}.") from error


def find_backbone(request: ConversionRequest) -> Backbone | None:
    """The backbone converted earlier for this request; None where there is none, or a damaged one.

    A name from `converted_names()` alone means that very backbone, whatever it was made from.
    """
    alone = request == ConversionRequest(request.name) and request.name in converted_names()
    name = request.name if alone else file_stem(request)
    try:
        return read_backbone(converted_folder(), name) if (converted_folder() / f"{name}.json").is_file() else None
    except BundleError:
        return None


def converted_names() -> tuple[str, ...]:
    """The names of the backbones that have been converted on this machine, sorted."""
    return tuple(sorted(path.stem for path in converted_folder().glob("*.json") if path.with_suffix(".onnx").is_file()))


def available_words() -> str:
    """The backbones that can be used here and now, as part of a sentence."""
    names = converted_names()
    return f"{join_words(PACKAGED)} (packaged)" + (f", {join_words(names)} (converted)" if names else "")


def is_downloaded(timm_name: str) -> bool:
    """Whether timm's published weights of this name lie in the hub's cache on this machine."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return any((hub / f"models--timm--{timm_name}" / "snapshots").glob("*/*model*"))
