"""Runs exported files in their own runtimes: ONNX Runtime, OpenVINO, torch.

`open_runtime` gives a function from arrays by input name to arrays by output name. The answer is computed in single
precision on this machine's CPU. Nothing is compared here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from headstart.device import threads
from headstart.errors import BundleError, MissingExtra
from headstart.model.export.torch_program import open_program, require_torch

Run: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]

ONNXRUNTIME, OPENVINO, TORCH = "ONNX Runtime", "OpenVINO", "torch"
RUNTIMES = {"onnx": (ONNXRUNTIME, OPENVINO), "openvino": (OPENVINO,), "torch": (TORCH,)}
"""Format → the runtimes that it is meant for."""


def require_runtimes(form: str, work: str = "exporting a model") -> None:
    """Raise `MissingExtra` where a runtime of this format is not installed."""
    if ONNXRUNTIME in RUNTIMES.get(form, ()) and find_spec("onnxruntime") is None:
        raise MissingExtra(work, "export", "onnxruntime")
    if form == "torch":
        require_torch()


def open_runtime(runtime: str, model: Path | bytes) -> Run:
    """A file, or the bytes of an ONNX graph, ready to run. Raises `BundleError` where the runtime refuses it."""
    try:
        if runtime == TORCH and isinstance(model, Path):
            return open_program(model)
        return _open_onnxruntime(model) if runtime == ONNXRUNTIME else _open_openvino(model)
    except Exception as error:  # each runtime has errors of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        name = model if isinstance(model, Path) else "the graph"
        raise BundleError(
            f"{name} cannot be opened by {runtime} ({lines[-1][:160]}): it is damaged or no exported model; export it "
            "again."
        ) from error


def _open_onnxruntime(model: Path | bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads(), 3
    content = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run


def _open_openvino(model: Path | bytes) -> Run:
    import openvino

    core = openvino.Core()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in compiled.outputs]

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        found = compiled(dict(inputs))
        return {name: found[name].copy() for name in names}

    return run
