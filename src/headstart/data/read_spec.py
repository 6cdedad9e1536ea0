"""Reads what a network expects of its input from the description beside its weights: of images, or of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from headstart.data.images.spec import ImageSpec
from headstart.data.texts.spec import KIND, SUFFIX, TextSpec

_LANGUAGES = {"en": "English"}


def read_spec(values: object, graph: Path, facts: Mapping[str, object] = MappingProxyType({})) -> ImageSpec | TextSpec:
    """The specification in `to_dict`'s values; raises `BundleError` for anything else.

    graph: what it belongs to. facts: what is known of it.
    """
    if isinstance(values, Mapping) and values.get("kind") == KIND:
        spec = TextSpec.from_dict(values, graph.with_suffix(SUFFIX))
        return replace(spec, language=_LANGUAGES.get(str(facts.get("language")), ""))
    return ImageSpec.from_dict(values)
