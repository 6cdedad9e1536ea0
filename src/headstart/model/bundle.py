"""The saved model: a folder of JSON, safetensors and ONNX, written whole or not at all, read without trust.

    model/
      manifest.json        what the model is, what it was measured to be, and the fingerprint of every other file
      head.safetensors     the trained head, as arrays
      training.safetensors the rows that the head was trained on (where they are kept)
      golden.safetensors   a few training images as pixels, which an export is compared on (where they are kept)
      trust.safetensors    what guarantees rest on, and the novelty score (where there is one)
      unreadable.csv       images that were skipped (only where there were any)
      <backbone>.onnx/.json   only for a backbone that is not packaged with Headstart
      <backbone>.delta.safetensors   only for a fine-tuned backbone: the tensors that were changed

`write` takes a manifest and files and makes the folder; `read` gives them back, checked. Nothing here is ever
unpickled, and no path in a manifest is followed out of the folder. What the manifest's fields mean is the predictor's
and the task's business.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from headstart import fingerprint
from headstart.errors import BundleError, OptionError
from headstart.storage.arrays import dump_arrays, read_arrays

FORMAT = "headstart-bundle"
SCHEMA = 2
MANIFEST = "manifest.json"
_MOST_MANIFEST_BYTES = 64 << 20
_KINDS = (".json", ".safetensors", ".onnx", ".csv")
_HARMLESS = (".md", ".txt")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    def file(self, name: str) -> Path:
        """The path of a file that the manifest lists; its content has been checked against its fingerprint."""
        if name not in self.manifest["files"]:
            raise BundleError(f"the bundle {self.folder} names a file {name!r} that it does not list.")
        return self.folder / name

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays in a safetensors file of the bundle."""
        return read_arrays(self.file(name))


def check_destination(folder: Path, *, overwrite: bool) -> None:
    """Raise `OptionError` unless a bundle may be written to `folder`: it is absent, empty, or a bundle to overwrite."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OptionError(f"the model cannot be saved to {folder}: a file of that name exists. Choose another -o.")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise OptionError(
            f"the model cannot be saved to {folder}: the folder holds other things, which would be lost. "
            "Choose a new folder with -o."
        )
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise OptionError(
            f"the model cannot be saved to {folder}: a model lies there already, which would be lost. Choose another "
            "-o, or say --overwrite (from Python, overwrite=True)."
        )
    parent = next((p for p in folder.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OptionError(f"the model cannot be saved to {folder}: {parent} cannot be written to. Choose another -o.")


def _is_ours(folder: Path) -> bool:
    try:
        return json.loads((folder / MANIFEST).read_text())["format"] == FORMAT  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_bundle(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes | Path | Arrays]) -> None:
    """Write a bundle: beside its final name first, the manifest last, then one rename.

    files: name → bytes, a file to copy, or arrays (as safetensors). An older bundle in `folder` is replaced.
    """
    check_destination(folder, overwrite=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", suffix=".partial", dir=folder.parent))
    try:
        for name, content in files.items():
            _put(beside / name, content)
        listed = {name: _facts(beside / name) for name in sorted(files)}
        full = {"format": FORMAT, "schema": SCHEMA, **manifest, "files": listed}
        _put(
            beside / MANIFEST,
            json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace"),
        )
        beside.chmod(0o777 & ~_umask())
        _swap(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _put(path: Path, content: bytes | Path | Arrays) -> None:
    if isinstance(content, Mapping):
        content = dump_arrays(content)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    with path.open("r+b" if path.exists() else "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "fingerprint": fingerprint.hash_file(path)}


def _swap(beside: Path, folder: Path) -> None:
    """Put the finished folder in the place of the old one; at no moment is there neither (on Linux)."""
    if not folder.exists():
        beside.rename(folder)
        return
    if _exchange(beside, folder):
        shutil.rmtree(beside)
        return
    old = beside.with_suffix(".replaced")
    folder.rename(old)
    try:
        beside.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders' names in one step, where the system can (Linux's renameat2); say whether it was done."""
    if sys.platform != "linux":
        return False
    here, exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0  # type: ignore[no-any-return]


def read_bundle(folder: Path | str) -> Bundle:
    """Open a bundle and check it: format, schema, and the size and fingerprint of every listed file.

    Raises `BundleError` when it is absent, damaged, newer than this version, or names anything outside its folder.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    _refuse_strangers(folder)
    for name, facts in manifest["files"].items():
        _check_file(folder, name, facts)
    return Bundle(folder, manifest)


def read_task(folder: Path | str) -> str:
    """What the model in a folder predicts, by its manifest alone: no other file is read. Raises `BundleError`."""
    return str(_manifest(Path(folder)).get("task"))


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BundleError(f"there is no model at {folder}: give the folder that 'headstart train' wrote.")
    if not path.is_file():
        raise BundleError(f"{folder} is not a saved model: it has no {MANIFEST}. Give the folder that train wrote.")
    if path.stat().st_size > _MOST_MANIFEST_BYTES:
        raise BundleError(f"{path} is not a manifest: it is larger than {_MOST_MANIFEST_BYTES >> 20} MB.")
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged ({error}): copy or train the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} does not describe a Headstart model: give the folder that train wrote.")
    schema = manifest.get("schema")
    if type(schema) is not int or schema < 1 or not isinstance(manifest.get("files"), dict):
        raise BundleError(f"{path} is damaged (its schema or list of files is missing): train it again.")
    if schema < SCHEMA:
        raise BundleError(
            f"{folder} was written by an older Headstart (schema {schema}; this one reads {SCHEMA}): train it again."
        )
    if schema > SCHEMA:
        wrote = str(manifest.get("headstart"))[:40]
        raise BundleError(
            f"{folder} was written by a newer Headstart ({wrote}, schema {schema}; this one reads {SCHEMA}): "
            "run  pip install --upgrade headstart."
        )
    return manifest


def _refuse_strangers(folder: Path) -> None:
    for path in folder.iterdir():
        expected = path.suffix in _KINDS or path.suffix in _HARMLESS or path.name.startswith(".")
        if path.is_symlink() or not expected:
            raise BundleError(
                f"{folder} holds {path.name!r}, which is not part of a Headstart model "
                f"(only {', '.join(_KINDS)} files are): remove it if you trust the rest."
            )


def _check_file(folder: Path, name: str, facts: Any) -> None:
    plain = name and "\0" not in name and Path(name).name == name and name not in (".", "..") and "\\" not in name
    if not plain or Path(name).suffix not in _KINDS:
        raise BundleError(f"the bundle {folder} names the file {name!r}, which cannot be part of it: do not trust it.")
    path = folder / name
    if not path.is_file():
        raise BundleError(f"the bundle {folder} lacks its file {name}: copy or train the model again.")
    if not isinstance(facts, dict) or facts.get("bytes") != path.stat().st_size:
        raise BundleError(f"the file {path} is truncated or changed (its size differs): copy or train it again.")
    if facts.get("fingerprint") != fingerprint.hash_file(path):
        raise BundleError(f"the file {path} is damaged (its content differs): copy or train the model again.")
