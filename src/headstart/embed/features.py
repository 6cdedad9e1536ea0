"""What a head looks at: taps of one or several backbones side by side, for the images that all could read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
from typing import TYPE_CHECKING

from headstart.records.samples import Samples


@dataclass(frozen=True)
class Part:
    """A piece of the head's input: these taps of this backbone, in this order."""

    backbone: Backbone
    taps: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many numbers it gives."""
        return sum(tap.width for tap in self.backbone.taps if tap.name in self.taps)

    def columns(self, taps: Sequence[str]) -> NDArray[np.int64]:
        """Where these of its taps lie among its numbers."""
        ends = dict(zip(self.taps, np.cumsum([self.backbone.tap(name).width for name in self.taps]), strict=True))
        return np.concatenate([np.arange(ends[tap] - self.backbone.tap(tap).width, ends[tap]) for tap in taps])


@dataclass(frozen=True)
class Joined:
    """The head's input for the images that every backbone could read."""

    X: Floats
    rows: NDArray[np.int64]
    failures: tuple[Failure, ...]


def join_parts(embedded: Sequence[Embeddings], taps: Sequence[tuple[str, ...]]) -> Joined:
    """Put the taps of several backbones side by side, for the rows that none of them failed on."""
    rows = embedded[0].rows
    for other in embedded[1:]:
        rows = np.intersect1d(rows, other.rows)
    columns = [e.joined(names)[np.isin(e.rows, rows)] for e, names in zip(embedded, taps, strict=True)]
    failures = {f.row: f for e in embedded for f in e.failures}
    X = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return Joined(X, rows, tuple(failures[row] for row in sorted(failures)))


@dataclass(frozen=True, eq=False)
class EmbeddedParts:
    """Images that every backbone could read, and X: (n, d), what the head looks at. cached: rows from the cache."""

    samples: Samples
    X: Floats
    failures: tuple[Failure, ...]
    cached: int


def embed_parts(samples: Samples, parts: Sequence[Part], *, device: str, cache: bool) -> EmbeddedParts:
    """What the head looks at, for the images that every backbone can read."""
    from headstart.device import choose_device
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    chosen = choose_device(device)
    each = [
        embed(
            samples.images,
            part.backbone,
            content=samples.content,
            names=samples.names,
            taps=part.taps,
            device=chosen,
            cache=open_cache(part.backbone) if cache else None,
        )
        for part in parts
    ]
    joined = join_parts(each, [part.taps for part in parts])
    return EmbeddedParts(samples.take(joined.rows), joined.X, joined.failures, min(one.cached for one in each))
