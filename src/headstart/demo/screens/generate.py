"""Generated screenshots of five kinds of security tools, and of screens that belong to none of them.

`generate` fills a folder: known/ with one folder a kind, for training, and unseen/ beside it, to try what a model says
of something it has never met. It takes a folder, a number and a seed. Every image depends on the seed, its kind and
its number alone, so an unfinished folder is finished with the very images it would have had. The same seed gives the
same bytes wherever the same build of Pillow (with its font, JPEG and PNG libraries) draws them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image

from headstart.checks import at_least, between
from headstart.demo.screens import office, packets, proxy, report, scanner, siem
from headstart.demo.screens.canvas import Canvas
from headstart.demo.screens.themes import theme
from headstart.errors import DataError
from headstart.progress import bar
from headstart.storage.files import write_atomically

KINDS: Mapping[str, Callable[[Canvas], None]] = {
    "packet-capture": packets.draw,
    "port-scan": scanner.draw,
    "siem-dashboard": siem.draw,
    "vulnerability-report": report.draw,
    "web-proxy": proxy.draw,
}
"""The classes, each with what draws it."""

MARK = "screens.json"
"""The file that says what a folder was made of, and whether it is finished."""

_VERSION = 1
_UNSEEN = "unseen"
_THEMES = ("light", "dark", "light", "dark", "contrast")
_SIZES = ((1280, 800), (1440, 900), (1024, 768), (1600, 900), (900, 700), (1100, 1100), (820, 1060), (1280, 1024))
_MOST = 100_000


@dataclass(frozen=True)
class Screens:
    """What `generate` made: the folders, how many images lie in them, and how many of these were drawn just now."""

    known: Path
    unseen: Path
    images: int
    drawn: int


def generate(folder: str | Path, per_class: int = 40, seed: int = 0) -> Screens:
    """Draw `per_class` screenshots of each kind into folder/known/KIND, and as many others into folder/unseen.

    An unfinished folder of the same number and seed is finished. Raises `DataError` when the folder holds anything
    else, `OptionError` when `per_class` does not lie in 1 to 100,000 or the seed is negative, `OSError` when the system
    refuses to write.

        screens = generate("screens", per_class=40)
        trained = headstart.train(screens.known)
    """
    between("per_class", per_class, 1, _MOST)
    at_least("seed", seed, 0)
    root = Path(folder)
    _open(root, {"version": _VERSION, "per_class": per_class, "seed": seed})
    files = list(_files(root, per_class))
    missing = [file for file in files if not file[0].exists()]
    with bar("drawing", len(missing)) as advance:
        for path, kind, number in missing:
            write_atomically(path, screenshot(kind, number, seed))
            advance(1)
    _mark(root, {"version": _VERSION, "per_class": per_class, "seed": seed, "finished": True})
    return Screens(root / "known", root / _UNSEEN, len(files), len(missing))


def screenshot(kind: str, number: int, seed: int) -> bytes:
    """The encoded image (JPEG, or PNG at every fourth number) of a kind (one of `KINDS`, or 'unseen')."""
    random = Random(f"headstart screens {_VERSION} {seed} {kind} {number}")
    image = _capture(_draw_window(kind, number, random), random)
    encoded = io.BytesIO()
    if _suffix(number) == "png":
        image.save(encoded, "PNG")
    else:
        image.save(encoded, "JPEG", quality=random.randint(35, 92))
    return encoded.getvalue()


def _draw_window(kind: str, number: int, random: Random) -> Image.Image:
    """The whole window of a kind."""
    width, height = random.choice(_SIZES)
    size = random.choice((11, 12, 13, 14, 16, 18))
    zoom = random.uniform(0.75, 1.1)
    image = Image.new("RGB", (round(width * zoom), round(height * zoom)))
    draw = office.draw if kind == _UNSEEN else KINDS[kind]
    draw(Canvas(image, theme(_THEMES[number % len(_THEMES)], random), size, random))
    return image


def _capture(image: Image.Image, random: Random) -> Image.Image:
    """The window as somebody kept it: most of it, often made smaller."""
    if random.random() < 0.6:
        left, top, right, bottom = (random.uniform(0, most) for most in (0.03, 0.09, 0.12, 0.09))
        width, height = image.size
        image = image.crop(
            (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
        )
    if random.random() < 0.35:
        smaller = random.uniform(0.6, 0.95)
        image = image.resize((round(image.width * smaller), round(image.height * smaller)), Image.Resampling.BICUBIC)
    return image


def _suffix(number: int) -> str:
    return "png" if number % 4 == 3 else "jpg"


def _files(root: Path, per_class: int) -> Iterator[tuple[Path, str, int]]:
    """Every image with its kind and number."""
    folders = {kind: root / "known" / kind for kind in KINDS} | {_UNSEEN: root / _UNSEEN}
    for kind, folder in folders.items():
        for number in range(per_class):
            yield folder / f"{number:05d}.{_suffix(number)}", kind, number


def _open(root: Path, facts: dict[str, int]) -> None:
    """Mark a new folder as begun; raises `DataError` where the folder holds something else."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file: name a folder for the screenshots.")
    begun = f".{MARK}."  # what a run that was killed at its very first file leaves
    if not root.exists() or all(file.name.startswith(begun) for file in root.iterdir()):
        _mark(root, facts | {"finished": False})
        return
    marked = _read_mark(root)
    if marked is None:
        raise DataError(f"{root} is not empty and was not made by this generator: name a new or an empty folder.")
    if different := [name for name, value in facts.items() if marked.get(name) != value]:
        differences = ", ".join(f"{name} {marked.get(name)} instead of {facts[name]}" for name in different)
        raise DataError(
            f"{root} holds other generated screenshots ({differences}): name a new folder, or ask for these again."
        )


def _mark(root: Path, facts: dict[str, int]) -> None:
    write_atomically(root / MARK, json.dumps(facts, indent=1).encode())


def _read_mark(root: Path) -> dict[str, object] | None:
    """What the folder says it was made of; None where it does not say so."""
    try:
        marked = json.loads((root / MARK).read_bytes())
    except (OSError, ValueError):
        return None
    return marked if isinstance(marked, dict) else None
