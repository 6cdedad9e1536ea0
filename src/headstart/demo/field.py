"""Drawn microscope fields: discs, rods and dots on an uneven ground, with the box and the pixels of each.

They are drawn, and say so: they show how detection and segmentation work, and prove nothing of real images.
`draw_field` makes one, `write_fields` a folder in Pascal VOC's form (JPEGImages, Annotations,
SegmentationClass, ImageSets/Main).
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from headstart.checks import between
from headstart.errors import DataError
from headstart.storage.files import write_atomically

KINDS = ("disc", "rod", "dot")
SIZE = (320, 240)
_COLOURS = {"disc": (178, 92, 104), "rod": (92, 110, 164), "dot": (74, 52, 96)}
_MARK = "fields.txt"
_TRIES = 30


@dataclass(frozen=True, eq=False)
class Field:
    """image: RGB. objects: kind and box (left, top, right, bottom). labels: (rows, columns) 0 for the ground, 1 and on
    for the kinds."""

    image: Image.Image
    objects: tuple[tuple[str, tuple[int, int, int, int]], ...]
    labels: NDArray[np.uint8]


def draw_field(seed: int) -> Field:
    """One field; the same seed draws the same."""
    random = Random(f"field {seed}")
    image = _ground(random)
    labels = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    objects = []
    for kind in random.choices(KINDS, (5, 3, 4), k=random.randint(4, 12)):
        shape = _free_shape(random, kind, labels)
        box = None if shape is None else shape.getbbox()
        if shape is None or box is None:
            continue
        _paint(image, shape, kind, random)
        labels[np.asarray(shape) > 127] = 1 + KINDS.index(kind)
        objects.append((kind, box))
    soft = image.filter(ImageFilter.GaussianBlur(0.8))
    noise = np.random.default_rng(seed).normal(0, 5, (SIZE[1], SIZE[0], 3))
    grainy = np.clip(np.asarray(soft, np.float64) + noise, 0, 255).astype(np.uint8)
    return Field(Image.fromarray(grainy), tuple(objects), labels)


def _ground(random: Random) -> Image.Image:
    """A light ground that darkens to one side."""
    across, down = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
    turn = random.uniform(0, 2 * math.pi)
    shade = 1 - 0.07 * (across * math.cos(turn) + down * math.sin(turn))
    base = np.array([random.randint(206, 226), random.randint(198, 214), random.randint(190, 210)])
    return Image.fromarray(np.clip(shade[..., None] * base, 0, 255).astype(np.uint8))


def _free_shape(random: Random, kind: str, labels: NDArray[np.uint8]) -> Image.Image | None:
    """A shape that covers nothing else; None where no place for it was found."""
    for _ in range(_TRIES):
        shape = _shape(random, kind)
        if not labels[np.asarray(shape) > 127].any():
            return shape
    return None


def _shape(random: Random, kind: str) -> Image.Image:
    layer = Image.new("L", SIZE)
    pen = ImageDraw.Draw(layer)
    x, y = random.uniform(12, SIZE[0] - 12), random.uniform(12, SIZE[1] - 12)
    if kind == "rod":
        turn, half, thick = random.uniform(0, math.pi), random.uniform(22, 36), random.randint(8, 12)
        across, down = half * math.cos(turn), half * math.sin(turn)
        pen.line((x - across, y - down, x + across, y + down), fill=255, width=thick)
        return layer
    wide = random.uniform(20, 30) if kind == "disc" else random.uniform(5, 8)
    high = wide * random.uniform(0.8, 1.2)
    pen.ellipse((x - wide, y - high, x + wide, y + high), fill=255)
    return layer


def _paint(image: Image.Image, shape: Image.Image, kind: str, random: Random) -> None:
    colour = tuple(min(max(part + random.randint(-16, 16), 0), 255) for part in _COLOURS[kind])
    image.paste(Image.new("RGB", SIZE, colour), mask=shape.point(lambda value: round(value * 0.85)))
    if kind == "disc":  # paler in the middle
        inner = shape.filter(ImageFilter.GaussianBlur(9)).point(lambda value: max(0, value - 170))
        image.paste(Image.new("RGB", SIZE, (226, 190, 192)), mask=inner)


def write_fields(folder: Path, images: int = 80, seed: int = 0) -> Path:
    """Draw so many fields into a folder in VOC's form, a quarter of them for testing; return the folder.

    Raises `DataError` where the folder holds anything else.
    """
    between("images", images, 4, 100_000)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise DataError(f"the folder {folder} holds other things: name an empty or a new one.")
    write_atomically(folder / _MARK, b"Drawn microscope fields: no real images.\n")
    stems = [f"field_{number:04d}" for number in range(images)]
    for number, stem in enumerate(stems):
        field = draw_field(seed * 1_000_003 + number)
        write_atomically(folder / "JPEGImages" / f"{stem}.jpg", _encoded(field.image, "JPEG"))
        write_atomically(folder / "SegmentationClass" / f"{stem}.png", _encoded(Image.fromarray(field.labels), "PNG"))
        write_atomically(folder / "Annotations" / f"{stem}.xml", _voc(stem, field).encode())
    test = stems[: images // 4]
    for split, names in (("train", stems[images // 4 :]), ("test", test)):
        write_atomically(folder / "ImageSets" / "Main" / f"{split}.txt", ("\n".join(names) + "\n").encode())
    write_atomically(folder / "classes.txt", ("\n".join(("background", *KINDS)) + "\n").encode())
    return folder


def _encoded(image: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": 92} if form == "JPEG" else {}))
    return file.getvalue()


def _voc(stem: str, field: Field) -> str:
    objects = "".join(
        f"  <object>\n    <name>{kind}</name>\n    <bndbox>\n      <xmin>{box[0]}</xmin>\n      <ymin>{box[1]}</ymin>\n"
        f"      <xmax>{box[2]}</xmax>\n      <ymax>{box[3]}</ymax>\n    </bndbox>\n  </object>\n"
        for kind, box in field.objects
    )
    size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
    return f"<annotation>\n  <filename>{stem}.jpg</filename>\n  {size}\n{objects}</annotation>\n"
