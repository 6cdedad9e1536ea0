"""A model as a page: one folder that classifies images in the browser, opened as a file or served, without a network.

The folder holds index.html, app.js, the model and ONNX Runtime Web (MIT), all as scripts, because a page opened as a
file may load nothing else. The page's own policy forbids it every connection. The runtime is npm's package
onnxruntime-web in one version, whose archive the user gives once; it is kept among the caches. Nothing is downloaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import OptionError
from headstart.model.export.graph import METADATA, ExportGraph
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

VERSION = "1.30.0"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
_SCRIPT, _WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_FOLDER = "onnxruntime-web"


def take_runtime(archive: Path | None) -> dict[str, bytes]:
    """The runtime's two files: from npm's archive, which is checked and kept, else as kept before.

    Raises `OptionError` where there are none, or the archive is another.
    """
    folder = cache_folder(_FOLDER) / VERSION
    if archive is not None:
        for name, content in _unpack(archive).items():
            write_atomically(folder / name, content)
    if not all((folder / name).is_file() for name in (_SCRIPT, _WASM)):
        raise OptionError(
            "a page needs ONNX Runtime Web, which is not on this machine yet: run  "
            f"npm pack onnxruntime-web@{VERSION}  once, and say --web-runtime {ARCHIVE} (it is kept for the next time)."
        )
    return {name: (folder / name).read_bytes() for name in (_SCRIPT, _WASM)}


def _unpack(archive: Path) -> dict[str, bytes]:
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise OptionError(f"--web-runtime {archive} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise OptionError(
            f"--web-runtime {archive} is not {ARCHIVE} as npm has it: run  npm pack onnxruntime-web@{VERSION}  anew."
        )
    with tarfile.open(archive, "r:gz") as opened:
        members = {name: opened.extractfile(f"package/dist/{name}") for name in (_SCRIPT, _WASM)}
        return {name: member.read() for name, member in members.items() if member is not None}


def write_site(exported: ExportGraph, folder: Path, predictor: Predictor, runtime: dict[str, bytes]) -> list[Path]:
    """Write the page's files into a folder; the model's own graph, which is no part of the page, comes first."""
    graph = folder / "model.onnx"
    content = exported.model.SerializeToString(deterministic=True)
    graph.write_bytes(content)
    about = page_facts(exported, predictor)
    page = files("headstart.model.export") / "page"
    texts = {
        "index.html": (page / "index.html").read_text("utf-8"),
        "app.js": (page / "app.js").read_text("utf-8"),
        "runtime.js": f"const ORT = {json.dumps(runtime[_SCRIPT].decode())};\nconst WASM = {_text(runtime[_WASM])};\n",
        "model.js": f"const ABOUT = {json.dumps(about)};\nconst MODEL = {_text(content)};\n",
        "headstart.json": json.dumps({**about, "onnxruntime-web": VERSION}, indent=1),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [graph, *(folder / name for name in texts)]


def page_facts(exported: ExportGraph, predictor: Predictor) -> dict[str, Any]:
    """What the page knows of the model: the graph's metadata, and which part of an image it looks at."""
    metadata = {entry.key: entry.value for entry in exported.model.metadata_props}
    spec = predictor.parts[0].backbone.spec
    about: dict[str, Any] = json.loads(metadata[METADATA])
    return {**about, "view": {"fit": spec.fit, "share": spec.size / spec.resize}}


def _text(content: bytes) -> str:
    return f'"{base64.b64encode(content).decode()}"'
