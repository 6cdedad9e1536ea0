"""Where an export goes, what is said of it, and how its files get their names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import OptionError
from headstart.model.export import formats
from headstart.model.export.parity import TEXTS, Check, Parity

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.trust.triage.records import Triage


@dataclass(frozen=True)
class ExportResult:
    """What was exported. path: the main file or the folder. bytes: of all files. parity: the proof."""

    path: Path
    form: str
    bytes: int
    outputs: tuple[str, ...]
    parity: Parity
    notes: tuple[str, ...]


def triage_of(predictor: Predictor, max_error: float | None) -> Triage | None:
    """The guarantee behind the output `decision`; None where there is none."""
    asked = predictor.trust is not None and predictor.trust.default_guarantee is not None
    return predictor.triage(max_error) if asked or max_error is not None else None


def failure_words(check: Check) -> str:
    """What is wrong with a comparison that failed, in a phrase."""
    worst = f"the worst {'text' if check.kind == TEXTS else 'image'} is {check.worst}"
    if check.flips or check.kind == "files":
        same = f"{check.same_labels:,} of {check.images:,} labels are the model's"
        return f"in {check.runtime} {same} ({check.kind}); {worst}"
    return f"in {check.runtime} a probability differs by {check.largest:.2g} ({check.kind}); {worst}"


def check_place(path: Path, to: str, *, overwrite: bool) -> None:
    """Raise `OptionError` before any work where the result could not be put there."""
    suffix = formats.SUFFIXES.get(to)
    if suffix is not None and path.suffix != suffix:
        raise OptionError(f"-o {path} does not end in {suffix}, as files of the format {to!r} do: name it so.")
    if path.exists() and not overwrite:
        raise OptionError(f"{path} is there already: choose another -o, or say --overwrite (overwrite=True).")
    if path.exists() and path.is_dir() != (to in ("web", "coreml")):
        raise OptionError(f"{path} is {'a folder' if path.is_dir() else 'a file'}: choose another -o.")
    if to == "web" and path.is_dir() and any(path.iterdir()) and not (path / "headstart.json").is_file():
        raise OptionError(f"{path} holds other things, which would be lost: choose a new folder with -o.")
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OptionError(f"{path} cannot be written: {parent} cannot be written to. Choose another -o.")


def publish(files: Sequence[Path], partial: Path, path: Path, to: str) -> None:
    """Give the files their names, the main one last."""
    if to == "web":
        folder = partial / "site"
        folder.mkdir()
        for file in files:
            file.replace(folder / file.name)
        if path.exists():
            shutil.rmtree(path)
        folder.replace(path)
        return
    for file in reversed(files):
        place = path.with_name(file.name)
        if place.is_dir():
            shutil.rmtree(place)
        file.replace(place)
