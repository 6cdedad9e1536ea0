"""From a torch network to the bytes of a backbone's graph, and from a graph back to the network's weights.

`trace` exports a network's taps as one ONNX graph (see `graph.py` for its form). Batch normalisation is left as it is
and every weight keeps the name it has in the network's state dict, so the graph is also the weights' file:
`read_graph_weights` reads them back. Matrices and kernels are stored as float16 and cast to float32 on loading. The
same network gives the same bytes with the same versions of torch and onnx. Needs torch and onnx.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.conversion.stages import Stages, piece
from headstart.backbones.deltas import fits_half
from headstart.backbones.graph import INPUT, LOGITS, Tap
from headstart.data.images.spec import ImageSpec
from headstart.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn

OPSET = 17
_NETWORK = "network."
_SAME = 1e-4  # of the largest output


def trace(stages: Stages, spec: ImageSpec) -> tuple[bytes, tuple[Tap, ...]]:
    """The ONNX graph of all taps of a network in evaluation mode, and those taps."""
    import torch

    network = stages.network.eval()
    image = torch.zeros(2, spec.size, spec.size, 3, dtype=torch.uint8)
    whole = _whole_graph(stages, spec)
    with torch.no_grad(), traceable(), static_padding(network):
        _check_stages(stages, spec)
        outputs = whole(image)
        names = _output_names(stages)
        content = export_onnx(whole, image, names)
    widths = {name: int(output.shape[1]) for name, output in zip(names, outputs, strict=True)}
    return _tidy_graph(content), _taps(stages, widths)


def export_onnx(whole: nn.Module, image: Any, names: list[str]) -> bytes:
    """The ONNX graph of a module that owns a `network`, for any number of images; call it within the two contexts.

    image: uint8 (2, size, size, 3). names: of its outputs. Raises `BackboneError` for what ONNX does not know.
    """
    import torch

    file = io.BytesIO()
    try:
        torch.onnx.export(
            whole,
            (image,),
            file,
            dynamo=False,
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=[INPUT],
            output_names=names,
            dynamic_axes={name: {0: "N"} for name in (INPUT, *names)},
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise BackboneError(
            f"a network of the class {type(whole.network).__name__} could not be turned into a graph for images of "
            f"{image.shape[1]} pixels: try another size. ({str(error).strip().splitlines()[0]})"
        ) from error
    return file.getvalue()


def _check_stages(stages: Stages, spec: ImageSpec) -> None:
    """A graph of stages that are not the network would be wrong without anyone noticing."""
    import torch

    image = torch.rand(1, 3, spec.size, spec.size, generator=torch.Generator().manual_seed(0))
    expected, outputs = stages.network(image), stages.tail(0)(image)
    scale = float(expected.abs().max())
    if expected.shape != outputs.shape or not float((expected - outputs).abs().max()) <= _SAME * scale:
        raise BackboneError(
            f"a network of the class {type(stages.network).__name__} was cut into stages that do not add up to it: "
            "this version of its library is not supported; use another version, or another backbone."
        )


def _taps(stages: Stages, widths: dict[str, int]) -> tuple[Tap, ...]:
    names = [stage.name for stage in stages.body]
    last = len(names) - 1
    return tuple(
        Tap(name, widths[f"{name}.pooled"], depth, "last" if depth == last else "stage")
        for depth, name in enumerate(names)
    )


def _output_names(stages: Stages) -> list[str]:
    names = [f"{stage.name}.{kind}" for stage in stages.body for kind in ("pooled", "spatial")]
    return names + [LOGITS] * any(stage.layout == LOGITS for stage in stages.stages)


def _whole_graph(stages: Stages, spec: ImageSpec) -> nn.Module:
    """uint8 pixels in, all outputs out, in the order of `_output_names`; weights are named `network.<name>`."""
    import torch

    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (spec.mean, spec.std))
    names = _output_names(stages)

    def run(image: Any) -> tuple[Any, ...]:
        """Images (N, size, size, 3) uint8 → every output."""
        pixels = (image.to(torch.float32) - mean) / std
        taps = stages.taps(pixels.permute(0, 3, 1, 2))
        return tuple(taps[name] for name in names)

    return piece(run, **{_NETWORK[:-1]: stages.network}).eval()


@contextlib.contextmanager
def traceable() -> Iterator[None]:
    """Keep the exporter from warning of its own age and of constant sizes, and attention in operations it knows."""
    from torch.backends import mha

    fast = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def static_padding(network: nn.Module) -> Iterator[None]:
    """Let TensorFlow-like padding be a constant of the graph instead of a computation on the image's size."""
    from timm.layers import Conv2dSame

    convolutions = [module for module in network.modules() if isinstance(module, Conv2dSame)]
    try:
        for module in convolutions:
            module.forward = _same_padding(module)
        yield
    finally:
        for module in convolutions:
            del module.forward


def _same_padding(module: Any) -> Any:
    from torch.nn import functional

    def forward(x: Any) -> Any:
        """The convolution of `x`, (N, channels, rows, columns), padded as TensorFlow's 'same' does."""
        rows, columns = (
            max((-(-int(side) // step) - 1) * step + (kernel - 1) * spread + 1 - int(side), 0)
            for side, step, kernel, spread in zip(
                x.shape[-2:], module.stride, module.kernel_size, module.dilation, strict=True
            )
        )
        x = functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return functional.conv2d(x, module.weight, module.bias, module.stride, 0, module.dilation, module.groups)

    return forward


def _tidy_graph(content: bytes) -> bytes:
    """The exported graph with the network's own weight names, in half precision, without traces of this machine."""
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    _separate_shared(graph, weights)
    names = {name: name.removeprefix(_NETWORK) for name in weights}
    casts = []
    del graph.initializer[:]
    for name in sorted(weights):
        array, short = weights[name], names[name]
        if fits_half(array):
            graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float16), short))
            single = f"{short}.f32"
            casts.append(onnx.helper.make_node("Cast", [short], [single], name=single, to=onnx.TensorProto.FLOAT))
            names[name] = single
        else:
            graph.initializer.append(onnx.numpy_helper.from_array(array, short))
    nodes = list(graph.node)
    for node in nodes:
        node.input[:] = [names.get(value, value) for value in node.input]
        node.doc_string = ""
    del graph.node[:]
    graph.node.extend(casts + nodes)
    del graph.value_info[:]
    graph.name, model.producer_name, model.producer_version = "headstart", "headstart", ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _separate_shared(graph: Any, weights: dict[str, NDArray[Any]]) -> None:
    """Undo the exporter's merging of equal weights: each name gets its own array again."""
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in weights]:
        weights[node.output[0]] = weights[node.input[0]]
        graph.node.remove(node)


def read_graph_weights(graph: Path) -> dict[str, NDArray[Any]]:
    """The arrays stored in a graph file by their names in the network's state dict; floats as float32."""
    import onnx

    weights = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(graph).graph.initializer}
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in weights.items()}
