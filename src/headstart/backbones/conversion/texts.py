"""Converts a text network, from a local folder or the hub, into a backbone: once, kept by its content.

Names: a folder as transformers or sentence-transformers save it, or `hf:owner/name`. The graph lies in the cache folder
under the network's name and a mark of its files, so that another network of that name is another backbone. Converting
needs the extra `finetune` (torch, transformers, onnx); what was converted before does not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from headstart.backbones.conversion.text_folder import TextFolder, is_text_folder, read_text_folder
from headstart.backbones.converted import converted_folder
from headstart.backbones.graph import Backbone, read_backbone, write_backbone
from headstart.data.texts.spec import SUFFIX, TextSpec
from headstart.errors import BackboneError, BundleError, MissingExtra
from headstart.storage.files import write_atomically

HUB = "hf:"
FOLDER = "texts"
"""Beside the converted backbones of images, which a race on images may take up by themselves."""
_NEEDED = ("torch", "transformers", "onnx")
_MOST_PARAMETERS = 500_000_000
_LEAST_WINDOW = 8
_FILES = ("*.json", "*.safetensors", "*/*.json", "*/*.safetensors")


def is_text_name(name: str) -> bool:
    """Whether a backbone's name is that of a text network elsewhere: `hf:owner/name`, or a folder with one."""
    return name.startswith(HUB) or is_text_folder(name)


def open_text_network(name: str) -> Backbone:
    """The backbone of a text network: converted before, else now. Raises `BackboneError`, `MissingExtra`."""
    folder = _fetch(name) if name.startswith(HUB) else Path(name).resolve()
    plan = read_text_folder(folder)
    title = name.removeprefix(HUB).replace("/", "_") if name.startswith(HUB) else folder.name
    stem = f"{title}-{plan.key[:8]}"
    return _find(stem) or _convert(plan, stem, name)


def _find(stem: str) -> Backbone | None:
    place = converted_folder() / FOLDER
    try:
        return read_backbone(place, stem) if (place / f"{stem}.json").is_file() else None
    except BundleError:
        return None


def _convert(plan: TextFolder, stem: str, name: str) -> Backbone:
    missing = next((package for package in _NEEDED if find_spec(package) is None), None)
    if missing is not None:
        raise MissingExtra("Converting a text network", "finetune", missing)
    from headstart.backbones.conversion.text_tracing import load_network, trace_text, window_of

    network = load_network(plan)
    parameters = sum(values.numel() for values in network.parameters())
    if parameters > _MOST_PARAMETERS:
        raise BackboneError(
            f"the text network {name!r} has {parameters / 1e6:,.0f} million parameters; at most "
            f"{_MOST_PARAMETERS / 1e6:,.0f} million fit a graph: choose a smaller one."
        )
    window = window_of(network, plan.window)
    if window < _LEAST_WINDOW:
        raise BackboneError(
            f"the text network {name!r} takes {window} pieces at a time: at least {_LEAST_WINDOW} are needed."
        )
    graph, taps = trace_text(network, plan)
    tokenizer = converted_folder() / FOLDER / f"{stem}{SUFFIX}"
    tokenizer.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(tokenizer, plan.tokenizer)
    return write_backbone(
        tokenizer.parent,
        stem,
        graph,
        spec=TextSpec.of(tokenizer, window=window, prefix=plan.prefix),
        taps=taps,
        licence="not stated",
        source=f"{type(network).__name__} of transformers, {name if name.startswith(HUB) else plan.folder.name}",
        facts={
            "parameters": parameters,
            "pooling": " + ".join(plan.poolings),
            "layers": sum(tap.kind != "first" for tap in taps),
        },
    )


def _fetch(name: str) -> Path:
    """The files of a network on the hub, from its cache where they are there."""
    from headstart.backbones.conversion.fetching import retry_download

    if find_spec("huggingface_hub") is None:
        raise MissingExtra("Fetching a text network", "finetune", "transformers")
    from huggingface_hub import snapshot_download

    with retry_download(name, "https://huggingface.co"):
        return Path(snapshot_download(name.removeprefix(HUB), allow_patterns=list(_FILES)))
