"""Turns a model's graph into the files of a format, in a folder where they can be tried before they get their names.

ONNX is the graph itself; OpenVINO's IR is made of it by OpenVINO's own reader, torch's program by tracing it, LiteRT's
and Core ML's by their own converters from that (`mobile.py`). `site.py` makes a page.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from headstart.model.export.graph import ExportGraph
from headstart.model.export.mobile import write_coreml, write_litert
from headstart.model.export.runtimes import hint_of
from headstart.model.export.torch_program import write_program

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2", "litert": ".tflite", "coreml": ".mlpackage"}
"""Format → ending of its main file, which is a folder for Core ML."""


def write_files(exported: ExportGraph, form: str, folder: Path, stem: str) -> list[Path]:
    """Write the files of a format into a folder; the main file comes first."""
    main = folder / f"{stem}{SUFFIXES[form]}"
    if form == "onnx":
        main.write_bytes(exported.model.SerializeToString(deterministic=True))
        return [main]
    if form == "openvino":
        return _write_openvino(exported, main)
    _WRITERS[form](exported, main)
    return [main]


_WRITERS: dict[str, Callable[[ExportGraph, Path], None]] = {
    "torch": write_program,
    "litert": write_litert,
    "coreml": write_coreml,
}


def _write_openvino(exported: ExportGraph, main: Path) -> list[Path]:
    """IR with weights in half precision, where they were so before; everything is computed as the device chooses."""
    import openvino

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = openvino.Core().read_model(exported.model.SerializeToString())
        for entry in exported.model.metadata_props:
            model.set_rt_info(entry.value, ["headstart", "metadata"])
        model.set_rt_info(hint_of(exported.precision), ["headstart", "INFERENCE_PRECISION_HINT"])
        openvino.save_model(model, main, compress_to_fp16=False)
    return [main, main.with_suffix(".bin")]
