"""Reads what a network expects of its input from the description beside its weights: of images, or of texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headstart.data.images.spec import ImageSpec
from headstart.data.texts.spec import KIND, SUFFIX, TextSpec


def read_spec(values: object, graph: Path) -> ImageSpec | TextSpec:
    """The specification in `to_dict`'s values; raises `BundleError` for anything else. graph: what it belongs to."""
    if isinstance(values, Mapping) and values.get("kind") == KIND:
        return TextSpec.from_dict(values, graph.with_suffix(SUFFIX))
    return ImageSpec.from_dict(values)
