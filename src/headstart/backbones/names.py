"""Resolves `auto`, `local`, `all` and short names to backbones available on this machine.

`auto` are the packaged ones, `local` all whose weights are on this machine, `all` these and the whole zoo.
`resolve_names` turns words into names; `obtainable` opens each and says why the rest cannot be had. Nothing is
embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.backbones.converted import ConversionRequest, converted_names, find_backbone, is_downloaded
from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED, SHORT
from headstart.backbones.zoo import zoo
from headstart.checks import quantity
from headstart.errors import BackboneError, UnknownBackbone, UserError
from headstart.progress import bar

AUTO, LOCAL, ALL = "auto", "local", "all"
_RANDOM = "random weights"
"""How the source of weights begins that were drawn, not learned (see `conversion/networks.py`)."""


@dataclass(frozen=True)
class Unavailable:
    """A backbone that cannot be had here and now, and why, in one line."""

    name: str
    reason: str


def local_backbones() -> tuple[str, ...]:
    """The packaged backbones, those converted on this machine, those of the zoo whose weights are downloaded.

    Random weights, kept for comparison's sake, are left out.
    """
    learned = [name for name in converted_names() if not _is_random(name)]
    downloaded = [entry.name for entry in zoo().values() if is_downloaded(entry.timm)]
    return tuple(dict.fromkeys([*PACKAGED, *learned, *downloaded]))


def resolve_names(words: Sequence[str]) -> tuple[str, ...]:
    """The names that the words stand for, each once.

    >>> resolve_names(["lite0", "all"])[:2]
    ('efficientnet_lite0', 'efficientnet_lite2')
    """
    return tuple(dict.fromkeys(name for word in words for name in _names_of(word)))


def _names_of(word: str) -> tuple[str, ...]:
    if word == AUTO:
        return PACKAGED
    if word == LOCAL:
        return local_backbones()
    if word == ALL:
        return (*local_backbones(), *zoo())
    return (SHORT.get(word, word),)


def obtainable(names: Sequence[str], *, weights: Path | None = None) -> tuple[tuple[str, ...], tuple[Unavailable, ...]]:
    """Which of these names can be opened, fetching and converting where that is needed, and which cannot.

    Of several names for one backbone the first is kept. Raises `UnknownBackbone` for a name that nobody knows, and
    where none can be had: for one name its own error, for several `BackboneError`.
    """
    opened: dict[str, str] = {}
    missing: list[Unavailable] = []
    with bar("opening backbones", len(names), unit="backbones") as advance:
        for name in names:
            try:
                opened.setdefault(open_backbone(name, weights=weights).name, name)
            except UnknownBackbone:
                raise
            except UserError as error:
                if len(names) == 1:
                    raise
                missing.append(Unavailable(name, " ".join(str(error).split())))
            advance(1)
    if not opened:
        raise BackboneError(
            f"none of {quantity(len(names), 'backbone')} can be had here; the first: {missing[0].reason}"
        )
    return tuple(opened.values()), tuple(missing)


def _is_random(name: str) -> bool:
    """Whether a converted backbone's weights are random. A plain name says that they are not (see `file_stem`)."""
    backbone = find_backbone(ConversionRequest(name)) if "-" in name else None
    return backbone is not None and backbone.source.startswith(_RANDOM)
