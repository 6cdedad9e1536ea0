"""Embeds images with a backbone; deduplicates by content and caches.

`embed` looks every image up in the cache, loads and infers the missing ones, caches the new rows, and returns pooled
vectors of the wanted taps. Images that cannot be read become `Failure`s. Memory is bounded by the result's own size.
Nothing here is about images: what an item is, the backbone's `spec` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.sources.dataset import hash_contents
from headstart.device import Device, choose_device
from headstart.embed import batching
from headstart.embed.embedding_cache import row_key
from headstart.embed.engines import engine_key, open_engine
from headstart.errors import BackboneError, InternalError
from headstart.progress import Advance, bar
from headstart.records.arrays import Floats
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure, ImageSource
from headstart.storage.row_cache import Key, RowCache

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone, Tap
    from headstart.data.spec import InputSpec

_ROWS_A_WRITE = 256

RowsByContent = dict[str, list[int]]
"""Content → the positions of the images that have it."""


def embed(
    images: Sequence[ImageSource],
    backbone: Backbone,
    *,
    content: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    taps: Sequence[str] | None = None,
    device: Device | None = None,
    cache: RowCache | None = None,
    label: str = "embedding",
    spec: InputSpec | None = None,
) -> Embeddings:
    """Pooled activations of a backbone's taps for each image that can be read: float32, (n, width) a tap.

    images: paths, PIL images or arrays, as the backbone's `spec` loads them.
    content: a fingerprint of each, if known; else computed where a cache is used.
    names: what to call them in failures.
    taps: names of the wanted layers; all by default.
    device: the best there is by default.
    cache: where rows are looked up and stored; none by default.
    label: what the progress bar calls the work.
    spec: how items are loaded; as the backbone's own says, by default.

    Rows are in the order of the images; the same image gives the same row whatever came with it, and from the cache bit
    for bit what it gave fresh. Raises `BackboneError` for an unknown tap.

    >>> import numpy as np
    >>> from headstart.backbones.opening import open_backbone
    >>> embed([np.zeros((64, 64, 3), np.uint8)], open_backbone("lite0")).last.shape
    (1, 1280)
    """
    _check_lengths(len(images), content, names)
    table = _Table(backbone, taps, len(images))
    names = names or _names(images)
    if content is None:  # without a cache there is no need to know which images are equal
        content = hash_contents(images, names) if cache is not None else [str(i) for i in range(len(images))]
    with bar(label, len(images)) as advance:
        work = _Work(
            images,
            _rows_by_content(content),
            backbone,
            spec or backbone.spec,
            device or choose_device(),
            cache,
            table,
            advance,
        )
        work.fetch()
        work.compute()
    return table.embeddings(names)


def _check_lengths(n: int, content: Sequence[str] | None, names: Sequence[str] | None) -> None:
    if any(words is not None and len(words) != n for words in (content, names)):
        raise InternalError(f"embed was given {n} images, but not one fingerprint and one name for each.")


def _names(images: Sequence[ImageSource]) -> list[str]:
    return [str(image) if isinstance(image, Path) else f"image {i}" for i, image in enumerate(images)]


class _Table:
    """The result as it grows: one array a wanted tap, and why rows are missing."""

    def __init__(self, backbone: Backbone, wanted: Sequence[str] | None, n: int) -> None:
        wanted_names = None if wanted is None else {backbone.tap(name).name for name in wanted}
        self.backbone = backbone
        self.width = sum(tap.width for tap in backbone.taps)
        self.columns = {
            tap.name: columns
            for tap, columns in _columns(backbone.taps)
            if wanted_names is None or tap.name in wanted_names
        }
        self.arrays = {name: np.empty((n, c.stop - c.start), np.float32) for name, c in self.columns.items()}
        self.readable = np.zeros(n, bool)
        self.reasons: dict[int, str] = {}
        self.cached = 0

    def fill(self, positions: Iterable[int], row: Floats) -> None:
        """Put one image's row at each of its positions."""
        for position in positions:
            for name, columns in self.columns.items():
                self.arrays[name][position] = row[columns]
            self.readable[position] = True

    def embeddings(self, names: Sequence[str]) -> Embeddings:
        """The result without the rows that failed."""
        rows = np.flatnonzero(self.readable)
        failures = tuple(Failure(i, names[i], self.reasons[i]) for i in sorted(self.reasons))
        arrays = {name: _compact(array, rows) for name, array in self.arrays.items()}
        return Embeddings(self.backbone.name, arrays, rows, failures, self.cached)


def _columns(taps: Sequence[Tap]) -> Iterator[tuple[Tap, slice]]:
    """Where each tap's numbers lie in a row."""
    start = 0
    for tap in taps:
        yield tap, slice(start, start + tap.width)
        start += tap.width


def _compact(array: Floats, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
    """Move `rows` to the front, piece by piece so that no second array is needed, and cut the rest off."""
    if len(rows) == len(array):
        return array
    for start in range(0, len(rows), 1024):
        piece = rows[start : start + 1024]
        array[start : start + len(piece)] = array[piece]
    return array[: len(rows)]


def _rows_by_content(content: Iterable[str]) -> RowsByContent:
    rows: RowsByContent = {}
    for position, name in enumerate(content):
        rows.setdefault(name, []).append(position)
    return rows


class _Work:
    """The two ways to fill a table: from the cache, and through the network."""

    def __init__(
        self,
        images: Sequence[ImageSource],
        rows: RowsByContent,
        backbone: Backbone,
        spec: InputSpec,
        device: Device,
        cache: RowCache | None,
        table: _Table,
        advance: Advance,
    ) -> None:
        self.images, self.rows, self.backbone, self.spec, self.device = images, rows, backbone, spec, device
        self.cache, self.table, self.advance = cache, table, advance
        self.engine_key = engine_key(replace(backbone, spec=spec), device)
        self.fresh: list[tuple[Key, Floats]] = []

    def fetch(self) -> None:
        """Fill in the rows that are cached."""
        if self.cache is None:
            return
        contents_by_key = {row_key(content, self.engine_key): content for content in self.rows}
        try:
            for key, row in self.cache.find(list(contents_by_key)):
                if len(row) == self.table.width:
                    positions = self.rows[contents_by_key[key]]
                    self.table.fill(positions, row)
                    self.table.cached += len(positions)
                    self.advance(len(positions))
        finally:
            self.cache.close()

    def compute(self) -> None:
        """Pass the rest through the network, each distinct image once, and cache the rows."""
        missing = {rows[0]: name for name, rows in self.rows.items() if not self.table.readable[rows[0]]}
        if not missing:
            return
        engine = open_engine(self.backbone, self.device)
        spec = self.spec
        batches = batching.run_batches(lambda i: spec.load(self.images[i]), list(missing), spec, engine)
        try:
            for batch in batches:
                self._check_width(batch)
                for position, row in zip(batch.positions, batch.rows, strict=True):
                    self._fill(missing[position], row)
                for position, reason in batch.unreadable:
                    self._fail(missing[position], reason)
        finally:
            batches.close()
            self._store_rows()
            if self.cache is not None:
                self.cache.close()

    def _check_width(self, batch: batching.BatchResult) -> None:
        """Raise `BackboneError` where the description does not fit the graph: it may belong to another one."""
        if batch.positions and batch.rows.shape[1] != self.table.width:
            raise BackboneError(
                f"the graph of {self.backbone.name} at {self.backbone.graph} gives {batch.rows.shape[1]:,} numbers an "
                f"image, and its description says {self.table.width:,}: convert the backbone again."
            )

    def _fill(self, content: str, row: Floats) -> None:
        positions = self.rows[content]
        self.table.fill(positions, row)
        self.advance(len(positions))
        if self.cache is not None:
            self.fresh.append((row_key(content, self.engine_key), row))
            if len(self.fresh) == _ROWS_A_WRITE:
                self._store_rows()

    def _fail(self, content: str, reason: str) -> None:
        positions = self.rows[content]
        self.table.reasons.update(dict.fromkeys(positions, reason))
        self.advance(len(positions))

    def _store_rows(self) -> None:
        fresh, self.fresh = self.fresh, []
        if self.cache is not None:
            self.cache.store(fresh)
