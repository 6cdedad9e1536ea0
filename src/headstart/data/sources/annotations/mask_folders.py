"""Reads folders of masks beside folders of images: pairs by stem, splits by folder, classes by palette or by number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.checks import suggest
from headstart.data.sources.annotations.find import Form, plain_stem
from headstart.data.sources.annotations.mask_files import (
    MOST_COLOURS,
    VOID_NAMES,
    VOID_NUMBER,
    MaskFile,
    Palette,
    pack,
    read_palette,
    read_pixels,
)
from headstart.data.sources.annotations.objects import Fault, Reading, fault_notes
from headstart.data.sources.annotations.places import listed_splits, upright_size
from headstart.data.sources.dataset import Dataset, assemble_dataset
from headstart.data.sources.files import list_folder
from headstart.data.sources.split_names import split_of
from headstart.device import threads
from headstart.errors import DataError, OptionError, UnreadableImage
from headstart.records.masks import VOID, Masks


@dataclass(frozen=True, eq=False)
class _Stored:
    """A pair of files, and how often each number or packed colour stands in the mask."""

    image: Path
    mask: Path
    split: str
    counts: dict[int, int]
    coloured: bool
    content: str


def read_mask_folders(form: Form, void: Sequence[str]) -> tuple[Dataset, tuple[Fault, ...]]:
    """The images of a form of masks, and what was wrong.

    Raises `DataError` where none can be used, `OptionError` for an unknown void.
    """
    reading = Reading()
    stored = _read_pairs(form, reading)
    if not stored:
        first = f": {reading.faults[0].place}: {reading.faults[0].kind}" if reading.faults else ""
        raise DataError(f"{form.root} was read as images with masks, and no pair of files could be used{first}.")
    coloured = sum(pair.coloured for pair in stored) * 2 > len(stored)
    palette = read_palette(form.root) or Palette((), None, spoken=False)
    palette = (
        _colour_palette(stored, palette, form.root) if coloured else _index_palette(stored, palette, reading, form)
    )
    numbers, names = _class_numbers(palette, void, coloured=coloured)
    stored, maps, pixels = _maps(stored, palette, numbers, len(names), reading, form, coloured=coloured)
    target = Masks(tuple(maps), pixels, tuple(pair.content for pair in stored), names)
    splits = [pair.split or "train" for pair in stored] if any(pair.split for pair in stored) else None
    image_names = [pair.image.relative_to(form.root).as_posix() for pair in stored]
    samples = assemble_dataset([pair.image for pair in stored], image_names, None, splits=splits)
    notes = (*reading.notes, *fault_notes(reading.faults))
    ignored = dict(Counter(f.kind for f in reading.faults))
    return Dataset(replace(samples, target=target), ignored, notes), tuple(reading.faults)


def _read_pairs(form: Form, reading: Reading) -> list[_Stored]:
    ignored: Counter[str] = Counter()
    pairs: list[tuple[Path, Path, str]] = []
    lists = listed_splits(form.root, "Segmentation") or listed_splits(form.root)
    for folder, mask_folder in form.pairs:
        masks = {plain_stem(path.stem): path for path in list_folder(mask_folder, ignored)[0]}
        split = next((s for part in reversed(folder.relative_to(form.root).parts) if (s := split_of(part))), "")
        for image in list_folder(folder, ignored)[0]:
            mask = masks.pop(image.stem, None)
            if mask is None:
                reading.fault(image.relative_to(form.root).as_posix(), "an image without its mask, left out")
            else:
                pairs.append((image, mask, split or lists.get(image.stem, "")))
        for mask in masks.values():
            reading.fault(mask.relative_to(form.root).as_posix(), "a mask without its image, left out")
    with ThreadPoolExecutor(threads()) as pool:
        results = list(pool.map(lambda pair: _stored(*pair), pairs))
    for result in results:
        if isinstance(result, tuple):
            reading.fault(
                result[0].relative_to(form.root).as_posix(), "an image or mask that cannot be used", result[1]
            )
    return [result for result in results if isinstance(result, _Stored)]


def _stored(image: Path, mask: Path, split: str) -> _Stored | tuple[Path, str]:
    try:
        pixels = read_pixels(mask)
    except UnreadableImage as error:
        return mask, str(error)
    try:
        size = upright_size(image)
    except UnreadableImage as error:
        return image, str(error)
    if pixels.shape[:2] != (size[1], size[0]):
        return mask, f"the mask is {pixels.shape[1]} x {pixels.shape[0]} pixels, its image {size[0]} x {size[1]}"
    coloured = pixels.ndim == 3 and not (pixels[..., :1] == pixels).all()
    codes = pack(pixels) if coloured else (pixels if pixels.ndim == 2 else pixels[..., 0])
    numbers, counts = np.unique(codes, return_counts=True)
    return _Stored(
        *(image, mask, split, dict(zip(numbers.tolist(), counts.tolist(), strict=True)), coloured),
        fingerprint.hash_file(mask),
    )


def _index_palette(stored: Sequence[_Stored], palette: Palette, reading: Reading, form: Form) -> Palette:
    """Names for the numbers of index masks; numbers that no name stands for are faults, but for void."""
    totals: Counter[int] = Counter()
    for pair in stored:
        totals.update(pair.counts)
    highest = max((number for number in totals if number != VOID_NUMBER), default=0)
    if not palette.spoken:
        if set(totals) <= {0, VOID_NUMBER} and len(totals) == 2:  # black and white: no void, a class
            return Palette(("background", *[""] * (VOID_NUMBER - 1), "foreground"), None, spoken=False)
        return Palette(tuple(f"class {i}" if totals[i] else "" for i in range(highest + 1)), None, spoken=False)
    beyond = sorted(number for number in totals if number >= len(palette.names) and number != VOID_NUMBER)
    for number in beyond:
        pair = next(pair for pair in stored if number in pair.counts)
        place = pair.mask.relative_to(form.root).as_posix()
        reading.fault(place, "a number outside the palette, taken as void", f"{number}, {totals[number]:,} pixels")
    return Palette(palette.names, None)


def _colour_palette(stored: Sequence[_Stored], palette: Palette, root: Path) -> Palette:
    if palette.colours is not None:
        return palette
    codes = sorted({code for pair in stored for code in pair.counts})
    if len(codes) > MOST_COLOURS:
        raise DataError(
            f"the colour masks in {root} have {len(codes):,} colours: give their palette in class_dict.csv "
            "(name,r,g,b), or save masks as PNG (JPEG changes colours)."
        )
    colours = tuple((code >> 16, code >> 8 & 255, code & 255) for code in codes)
    return Palette(tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in colours), colours, spoken=False)


def _class_numbers(palette: Palette, void: Sequence[str], *, coloured: bool) -> tuple[list[int], tuple[str, ...]]:
    """The class number of each place of the palette (-1 for void), and the names of the classes."""
    unknown = [word for word in void if word not in palette.names and not (word.isdigit() and int(word) < 256)]
    if unknown:
        near = suggest(unknown[0], palette.names, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise OptionError(f"void names the class {unknown[0]!r}, which the masks do not have.{hint}")
    names: list[str] = []
    numbers = []
    for place, name in enumerate(palette.names):
        left_out = not name or name.casefold() in VOID_NAMES or name in void or (not coloured and str(place) in void)
        numbers.append(VOID if left_out else len(names))
        names += [] if left_out else [name]
    if len(names) < 2:
        raise DataError(f"the masks have {len(names)} class besides void: at least two are needed to tell apart.")
    return numbers, tuple(names)


def _maps(
    stored: Sequence[_Stored],
    palette: Palette,
    numbers: Sequence[int],
    classes: int,
    reading: Reading,
    form: Form,
    *,
    coloured: bool,
) -> tuple[list[_Stored], list[MaskFile], NDArray[np.int64]]:
    if coloured:
        colours = palette.colours or ()
        table = {int(pack(np.array(c, np.uint8))): n for c, n in zip(colours, numbers, strict=True)}
        full = tuple(numbers)
    else:
        colours = None
        full = (*numbers, *[VOID] * (256 - len(numbers)))
        table = dict(enumerate(full))
    good, maps, pixels = [], [], []
    for pair in stored:
        place = pair.mask.relative_to(form.root).as_posix()
        if pair.coloured != coloured:
            reading.fault(place, f"a mask {'without' if coloured else 'with'} colours among others, left out")
            continue
        strange = [code for code in pair.counts if code not in table]
        if strange:
            reading.fault(place, "a colour outside the palette, taken as void", f"#{strange[0]:06x}")
        counts = np.zeros(classes, np.int64)
        for code, count in pair.counts.items():
            if table.get(code, VOID) != VOID:
                counts[table[code]] += count
        good.append(pair)
        maps.append(MaskFile(pair.mask, full, colours))
        pixels.append(counts)
    return good, maps, np.array(pixels, np.int64).reshape(-1, classes)
