"""What a head looks at: taps of one or several backbones side by side, for the images that all of them could read.

`embed_backbone` is the one way in which samples are embedded: on the device and with the cache that a `Run` names.
`embed_parts` does so with several backbones and joins their taps; `join_parts` joins embeddings that are at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BackboneError
from headstart.records.arrays import Floats
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure, ImageSource, Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.records.run import Run

_IMAGE = "image"


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
    """The head's input for the images that every backbone could read.

    X: (n, d) the taps side by side. rows: (n,) which images they are.
    """

    X: Floats
    rows: NDArray[np.int64]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, eq=False)
class EmbeddedParts:
    """Images that every backbone could read, and X: (n, d), what the head looks at. cached: rows from the cache."""

    samples: Samples
    X: Floats
    failures: tuple[Failure, ...]
    cached: int


def check_modality(backbone: Backbone, name: str) -> None:
    """Raise `BackboneError` where the backbone takes another kind of data than `name`."""
    if backbone.spec.modality != name:
        raise BackboneError(
            f"the backbone {backbone.name} takes {backbone.spec.modality}s, and {name}s are to be read: name one of "
            f"{name}s, or leave it out."
        )


def with_fit(backbone: Backbone, fit: str) -> Backbone:
    """The backbone that makes squares of images in this way: 'crop', 'squeeze' or 'pad'.

    Raises `BackboneError` for one of texts.
    """
    check_modality(backbone, _IMAGE)
    return replace(backbone, spec=replace(backbone.spec, fit=fit))


def embed_backbone(
    samples: Samples, backbone: Backbone, run: Run, *, taps: Sequence[str] | None = None, label: str = "embedding"
) -> Embeddings:
    """Pooled activations of a backbone's taps, (n, width) each, for the samples that can be read.

    taps: all by default. label: of the progress bar. Raises `BackboneError` for an unknown tap.
    """
    return embed_images(samples.items, samples.names, backbone, run, content=samples.content, taps=taps, label=label)


def embed_view(samples: Samples, backbone: Backbone, number: int, run: Run, *, taps: Sequence[str]) -> Embeddings:
    """As `embed_backbone`, of a random smaller window of each image. number: of the view."""
    from headstart.data.images.spec import ViewSpec
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    return embed(
        samples.items,
        backbone,
        content=samples.content,
        names=samples.names,
        taps=taps,
        device=run.choose_device(),
        cache=open_cache(backbone) if run.cache else None,
        label="further views",
        spec=ViewSpec.of(backbone.spec, number),
    )


def embed_images(
    images: Sequence[ImageSource],
    names: Sequence[str],
    backbone: Backbone,
    run: Run,
    *,
    content: Sequence[str] | None = None,
    taps: Sequence[str] | None = None,
    label: str = "embedding",
) -> Embeddings:
    """As `embed_backbone`, for images that are no samples yet. content: their fingerprints, where they are known."""
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    return embed(
        images,
        backbone,
        content=content,
        names=names,
        taps=taps,
        device=run.choose_device(),
        cache=open_cache(backbone) if run.cache else None,
        label=label,
    )


def embed_parts(samples: Samples, parts: Sequence[Part], run: Run) -> EmbeddedParts:
    """What the head looks at, for the samples that every part's backbone can read."""
    embedded = [embed_backbone(samples, part.backbone, run, taps=part.taps) for part in parts]
    joined = join_parts(embedded, [part.taps for part in parts])
    cached = min(embeddings.cached for embeddings in embedded)
    return EmbeddedParts(samples.take(joined.rows), joined.X, joined.failures, cached)


def join_parts(embedded: Sequence[Embeddings], taps: Sequence[tuple[str, ...]]) -> Joined:
    """Put the taps of several backbones side by side, for the rows that none of them failed on."""
    rows = embedded[0].rows
    for other in embedded[1:]:
        rows = np.intersect1d(rows, other.rows)
    columns = [e.joined(names)[np.isin(e.rows, rows)] for e, names in zip(embedded, taps, strict=True)]
    failures = {f.row: f for e in embedded for f in e.failures}
    X = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return Joined(X, rows, tuple(failures[row] for row in sorted(failures)))
