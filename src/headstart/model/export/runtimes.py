"""Runs exported files in their own runtimes: ONNX Runtime, OpenVINO, torch, LiteRT, and Core ML on macOS.

`open_runtime` gives a function from arrays by input name to arrays by output name. The answer is computed on
this machine's CPU in single precision, unless the export was made for bfloat16. Nothing is compared here.
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
from headstart.model.export.mobile import open_coreml, open_litert, predicts_coreml, require_converter
from headstart.model.export.torch_program import open_program, require_torch

Run: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]

ONNXRUNTIME, OPENVINO, TORCH, LITERT, COREML = "ONNX Runtime", "OpenVINO", "torch", "LiteRT", "Core ML"
RUNTIMES = {
    "onnx": (ONNXRUNTIME, OPENVINO),
    "openvino": (OPENVINO,),
    "torch": (TORCH,),
    "litert": (LITERT,),
    "coreml": (COREML,) if predicts_coreml() else (),
}
"""Format → the runtimes that it is meant for; none where this system has none."""
CORE_FORMATS = ("litert", "coreml")
"""Formats that hold the graph behind its resampling alone: they take squares."""


def require_runtimes(form: str, work: str = "exporting a model") -> None:
    """Raise `MissingExtra` where a runtime of this format is not installed."""
    if ONNXRUNTIME in RUNTIMES.get(form, ()) and find_spec("onnxruntime") is None:
        raise MissingExtra(work, "export", "onnxruntime")
    if form in ("torch", *CORE_FORMATS):
        require_torch(f"exporting to {form}")
    if form in CORE_FORMATS:
        require_converter(form)


def hint_of(precision: str) -> str:
    """What OpenVINO is to compute in, for an export of that precision."""
    return "bf16" if precision == "bf16" else "f32"


def computes_bf16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_runtime(runtime: str, model: Path | bytes, precision: str = "f32") -> Run:
    """A file, or the bytes of an ONNX graph, ready to run.

    precision: of the export; in 'bf16' OpenVINO computes in bfloat16. Raises `BundleError` where the runtime
    refuses it.
    """
    try:
        if runtime in _OPENERS and isinstance(model, Path):
            return _OPENERS[runtime](model)
        return _open_onnxruntime(model) if runtime == ONNXRUNTIME else _open_openvino(model, hint_of(precision))
    except Exception as error:  # each runtime has errors of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        name = model if isinstance(model, Path) else "the graph"
        raise BundleError(
            f"{name} cannot be opened by {runtime} ({lines[-1][:160]}): it is damaged or no exported model; export it "
            "again."
        ) from error


_OPENERS: dict[str, Callable[[Path], Run]] = {TORCH: open_program, LITERT: open_litert, COREML: open_coreml}


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


def _open_openvino(model: Path | bytes, hint: str) -> Run:
    import openvino

    core = openvino.Core()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Beside int8 weights activations would else be rounded to eight bits, whatever the hint says.
        options = {"INFERENCE_PRECISION_HINT": hint, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
        compiled = core.compile_model(core.read_model(model), "CPU", options)
    names = [output.get_any_name() for output in compiled.outputs]

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        found = compiled(dict(inputs))
        return {name: found[name].copy() for name in names}

    return run
