"""Reads the parts of a bundle that every task's models have: class names, backbones and taps; trusts none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headstart.checks import join_words
from headstart.embed.features import Part
from headstart.errors import BundleError
from headstart.model.bundle import Bundle

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

MOST_CLASSES = 100_000


def classes_of(saved: Bundle, *, fewest: int = 2) -> tuple[str, ...]:
    """The class names of a manifest, which are different words; raises `BundleError`."""
    names = saved.manifest["classes"]
    are_words = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not are_words or not fewest <= len(names) <= MOST_CLASSES or len(set(names)) < len(names):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: its classes are not a list of different names: "
            "train the model again."
        )
    return tuple(names)


def part_of(saved: Bundle, entry: Mapping[str, Any]) -> Part:
    """The backbone of an entry, packaged or in the bundle, with its taps; raises `BundleError`."""
    from headstart.backbones import deltas, words
    from headstart.backbones.graph import read_backbone
    from headstart.backbones.opening import open_backbone
    from headstart.backbones.packaged import PACKAGED, TEXTS

    if entry["packaged"]:
        if entry["name"] not in (*PACKAGED, *TEXTS):  # any other name would be fetched and converted: a stranger's code
            raise BundleError(
                f"{saved.folder} asks for the packaged backbone {entry['name']!r}, and this Headstart carries "
                f"{join_words(PACKAGED)}: upgrade Headstart if you trust the model."
            )
        backbone = open_backbone(entry["name"])
    elif entry["spec"] == {"kind": words.NAME}:
        backbone = words.read_words(saved.file(words.FILE))
    else:
        saved.file(f"{entry['file']}.json")
        saved.file(f"{entry['file']}.onnx")
        backbone = read_backbone(saved.folder, entry["file"])
    if entry.get("delta") is not None:
        backbone = deltas.read_delta(backbone, saved.file(entry["delta"]))
    if backbone.weights != entry["weights"]:
        raise BundleError(
            f"{saved.folder} was trained on other weights of {entry['name']} than this Headstart carries: "
            "install the version that trained it (see 'headstart info'), or train again."
        )
    spec = backbone.spec.chosen_as(entry["spec"])
    if spec.to_dict() != entry["spec"]:
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: it says that {entry['name']} takes another input than its "
            "weights do: train the model again."
        )
    return Part(replace(backbone, spec=spec), taps_of(saved, entry["taps"], backbone, entry["name"]))


def taps_of(saved: Bundle, taps_asked: Sequence[str], backbone: Backbone, name: str) -> tuple[str, ...]:
    """The taps of a manifest, which the backbone has; raises `BundleError`."""
    taps, tap_names = tuple(taps_asked), [tap.name for tap in backbone.taps]
    if not taps or len(set(taps)) < len(taps) or not set(taps) <= set(tap_names):
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: it names the taps {taps_asked!r}, and {name} has "
            f"{join_words(tap_names)}: "
            "train the model again."
        )
    return taps
