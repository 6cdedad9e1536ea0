"""One pass over the images: their maps, kept in half precision while they fit, and the points that heads learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.checks import quantity
from headstart.embed.spatial.canvas import Laid
from headstart.embed.spatial.taps import Maps, TapEngine
from headstart.errors import DataError, UnreadableImage
from headstart.heads.spatial.points import gather
from headstart.progress import bar
from headstart.records.samples import Failure, Samples
from headstart.tasks.spatial import Lessons, Place, SpatialTask

_KEPT_BYTES = 1 << 30
"""Maps of the images are kept up to so many bytes, and made anew beyond."""


@dataclass(frozen=True, eq=False)
class Collected:
    """samples: those that could be read. places: of each. lessons: their points. kept: their maps, where they fit."""

    samples: Samples
    places: tuple[Place, ...]
    lessons: Lessons
    kept: tuple[Maps, ...] | None
    failures: tuple[Failure, ...]
    engine: TapEngine

    def maps(self, rows: Sequence[int]) -> Iterator[Maps]:
        """The maps of these images, in order."""
        if self.kept is not None:
            yield from (self.kept[row] for row in rows)
            return
        for result in self.engine.stream([self.samples.items[row] for row in rows]):
            if isinstance(result, UnreadableImage):
                raise DataError(f"an image that could be read before cannot be read now: {result}")
            yield result[1]


def place_of(laid: Laid, engine: TapEngine) -> Place:
    """Where an image lies on the engine's canvas."""
    return Place(laid.size, engine.canvas.extent(*laid.size), engine.canvas.scales(*laid.size))


def collect(
    samples: Samples, task: SpatialTask, engine: TapEngine, *, seed: int, max_unreadable: float = 0.05
) -> Collected:
    """Read the images once. Raises `DataError` where more than `max_unreadable` of them cannot be read."""
    random = np.random.default_rng(seed)
    size = (engine.canvas.width, engine.canvas.height)
    objects = int(samples.target.values.sum()) if task.name == "boxes" else 0
    rows, places, features, drawn, failures = [], [], [], [], []
    kept: list[Maps] = []
    stored, fits = 0, True
    with bar("looking at", len(samples)) as advance:
        for row, result in enumerate(engine.stream(samples.items)):
            advance(1)
            if isinstance(result, UnreadableImage):
                failures.append(Failure(row, samples.names[row], str(result)))
                continue
            laid, maps = result
            place = place_of(laid, engine)
            part = task.draw(samples.target, row, place, len(samples), objects, random)
            features.append(gather(maps, part.points, size).astype(np.float16))
            drawn.append(part)
            rows.append(row)
            places.append(place)
            stored += sum(tap.size for tap in maps) * 2
            fits = fits and stored <= _KEPT_BYTES
            kept = [*kept, [tap.astype(np.float16) for tap in maps]] if fits else []
    _check_failures(failures, len(samples), max_unreadable)
    lessons = Lessons(
        np.concatenate(features),
        np.concatenate([part.labels for part in drawn]),
        None if drawn[0].distances is None else np.concatenate([part.distances for part in drawn]),
        np.repeat(np.arange(len(drawn)), [len(part.labels) for part in drawn]),
        len(samples.target.names),
    )
    chosen = samples.take(np.array(rows))
    return Collected(chosen, tuple(places), lessons, tuple(kept) if fits else None, tuple(failures), engine)


def _check_failures(failures: Sequence[Failure], count: int, most: float) -> None:
    if len(failures) > most * count or len(failures) == count:
        raise DataError(
            f"{quantity(len(failures), 'image')} of {count:,} cannot be read, the first: {failures[0].name}: "
            f"{failures[0].reason}; look at them, or allow more with --max-unreadable."
        )
