"""A model's core graph for phones: LiteRT (.tflite) and Core ML (.mlpackage), by their own converters from torch.

Both take squares of one fixed size, one image at a time, as the network's specification makes them: the resampling is
no part of the file. Input and outputs are those of the core graph; the metadata are JSON as everywhere. LiteRT is run
here; Core ML predicts on macOS alone. Needs headstart[finetune] and the converter (litert-torch or coremltools), which
is imported where it works: it brings much, and is best installed in an environment of its own.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import HeadstartError, OptionError
from headstart.model.export.graph import METADATA, ExportGraph, core_graph
from headstart.model.export.torch_program import graph_module

_CONVERTERS = {
    "litert": ("LiteRT", "litert_torch", "litert-torch"),
    "coreml": ("Core ML", "coremltools", "coremltools"),
}
"""Format → its name, the module that converts to it, the package that has it."""


def require_converter(form: str) -> None:
    """Raise `OptionError` where a format's converter is not installed."""
    name, module, package = _CONVERTERS[form]
    if find_spec(module) is None:
        raise OptionError(
            f"exporting to {name} needs its converter {package}, which is not installed: run  pip install {package}  "
            "in an environment of its own beside 'headstart[finetune,export]', and export from there."
        )


def predicts_coreml() -> bool:
    """Whether this system runs Core ML."""
    return sys.platform == "darwin"


def write_litert(exported: ExportGraph, path: Path) -> None:
    """Convert and write a .tflite; the metadata follow it as a zip's entry, as LiteRT's own metadata do."""
    with _converting("litert"):
        import litert_torch

        module, examples = _module(exported)
        converted = litert_torch.convert(module, examples)
        converted.export(str(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, _metadata(exported))


def open_litert(path: Path) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    """A file of `write_litert`: squares by input name, (1, side, side, 3) uint8, to outputs by name."""
    with _quiet():
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
        names = list(runner.get_input_details())

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        return dict(runner(**dict(zip(names, inputs.values(), strict=True))))

    return run


def write_coreml(exported: ExportGraph, path: Path) -> None:
    """Convert and write a .mlpackage, an ML program for macOS 13, iOS 16 and later."""
    with _converting("coreml"):
        import coremltools
        import torch

        module, examples = _module(exported)
        with torch.no_grad():
            program = torch.export.export(_floats(module), tuple(e.float() for e in examples), strict=False)
        core = core_graph(exported)
        half = exported.precision == "f16"
        converted = coremltools.convert(
            program.run_decompositions({}),
            inputs=[
                coremltools.TensorType(name=value.name, shape=tuple(example.shape))
                for value, example in zip(core.model.graph.input, examples, strict=True)
            ],
            outputs=[coremltools.TensorType(name=name) for name in exported.outputs],
            compute_precision=coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target.iOS16,
            convert_to="mlprogram",
        )
        converted.user_defined_metadata[METADATA] = _metadata(exported)
        converted.save(str(path))


def open_coreml(path: Path) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    """A package of `write_coreml`, on macOS."""
    import coremltools

    model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        found = model.predict({name: array.astype(np.float32) for name, array in inputs.items()})
        return {name: np.asarray(value) for name, value in found.items()}

    return run


def _module(exported: ExportGraph) -> tuple[Any, tuple[Any, ...]]:
    """The core graph as a torch module, and squares of noise that fit it."""
    import torch

    core = core_graph(exported)
    generator = torch.Generator().manual_seed(0)
    examples = [
        torch.randint(0, 256, (1, side, side, 3), dtype=torch.uint8, generator=generator)
        for side in exported.squares.values()
    ]
    return graph_module(core), tuple(examples)


def _floats(module: Any) -> Any:
    """The module for pixels that come as floats, which is what Core ML's arrays hold."""
    from torch import nn

    class Floats(nn.Module):  # type: ignore[misc]
        """Makes whole numbers of them again."""

        def __init__(self) -> None:
            super().__init__()
            self.core = module

        def forward(self, *images: Any) -> tuple[Any, ...]:
            """Every output of the graph, in its order."""
            return tuple(self.core(*images).values())

    return Floats().eval()


def _metadata(exported: ExportGraph) -> str:
    text: str = {entry.key: entry.value for entry in exported.model.metadata_props}[METADATA]
    about = json.loads(text)
    sides = ", ".join(f"{name} (1, {side}, {side}, 3)" for name, side in exported.squares.items())
    about["input"] = f"{sides}: RGB from 0 to 255, resampled as docs/deploy/mobile.md says"
    return json.dumps(about, ensure_ascii=False)


@contextmanager
def _converting(form: str) -> Iterator[None]:
    """Raises `OptionError` where the converter fails, which it does with errors of every kind."""
    name, _, package = _CONVERTERS[form]
    try:
        with _quiet():
            yield
    except HeadstartError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise OptionError(
            f"{package} cannot convert this model to {name} ({lines[-1][:160]}): export to onnx, or train with "
            "--backbones lite0."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the converters' remarks on their own machinery, those of their C++ on the process's stderr included."""
    before = logging.root.manager.disable
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            _without_stderr(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Without what is written to the process's stderr by file number."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
