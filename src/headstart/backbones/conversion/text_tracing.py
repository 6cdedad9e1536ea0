"""From a text network of transformers to the bytes of a graph like the packaged encoder's; needs torch and onnx.

The graph takes `ids`, `mask` and `first`, int64 (N, T): pieces padded on the right, 1 where there is one, 1 where it
belongs to the first words. For every layer k, 0 being the embedding, it has `layer<k>.pooled` and, of the last four,
`layer<k>.first`, float32 (N, width): the means over what each marks. A network whose pieces see only what stands before
them has `token.pooled` too, the last real piece; one whose makers pool in another way has `sentence.pooled`. What the
mask leaves out is the padding piece, positions count from a text's first piece, and token types are 0: so rows are
those of transformers. Their own pooled output is never read: in many files its weights are missing, and drawn at
random. Everything stays in single precision.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.backbones.conversion.bert import INPUTS
from headstart.backbones.conversion.text_folder import DenseLayer, TextFolder
from headstart.backbones.conversion.tracing import OPSET, traceable
from headstart.backbones.graph import Tap
from headstart.checks import join_words
from headstart.errors import BackboneError

if TYPE_CHECKING:
    from torch import Tensor, nn

FIRST_LAYERS = 4
TOKEN, SENTENCE = "token", "sentence"
_SAME = 1e-4
"""How far the graph may be from the network, beside the largest of a row."""
_UNMOVED = 1e-6
_ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid")


def load_network(folder: TextFolder) -> nn.Module:
    """The network in evaluation mode; raises `BackboneError` where the file lacks weights that a text's row needs."""
    from transformers import AutoModel
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, report = AutoModel.from_pretrained(
            folder.folder,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="eager",
            dtype="float32",
            output_loading_info=True,
        )
    except Exception as error:  # whatever a damaged file or an unknown architecture raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackboneError(f"the text network in {folder.folder} cannot be loaded: {reason}") from error
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise BackboneError(
            f"the text network in {folder.folder} lacks weights ({join_words(missing, 3)}), which would be drawn at "
            "random: copy the whole network."
        )
    return network.eval()


def window_of(network: nn.Module, window: int) -> int:
    """The window, less the positions that RoBERTa's kin keep for padding."""
    from torch import nn

    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            kept = 0 if module.padding_idx is None else module.padding_idx + 1
            window = min(window, module.num_embeddings - kept)
    return window


def trace_text(network: nn.Module, folder: TextFolder) -> tuple[bytes, tuple[Tap, ...]]:
    """The graph of all taps, and those; raises `BackboneError` where it does not answer as the network does."""
    import torch

    with torch.no_grad(), traceable(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = _whole(network, folder)
        sample = _sample(network, 2, 7)
        widths = {name: int(row.shape[1]) for name, row in zip(whole.names, whole(*sample), strict=True)}
        content = _tidy(_export(whole, sample))
        _check(whole, content, [_sample(network, *shape) for shape in ((1, 3), (3, 8))])
    return content, _taps(widths)


def _taps(widths: Mapping[str, int]) -> tuple[Tap, ...]:
    """First words, the means of all layers, the last piece; the usual embedding last."""
    first = [name for name in widths if name.endswith(".first")]
    layers = [name.removesuffix(".pooled") for name in widths if name.startswith("layer") and name not in first]
    last = SENTENCE if f"{SENTENCE}.pooled" in widths else layers[-1]
    others = [name for name in (TOKEN, *layers) if f"{name}.pooled" in widths and name != last]
    named = [(name, "first", name) for name in first]
    named += [(name, "stage", f"{name}.pooled") for name in others] + [(last, "last", f"{last}.pooled")]
    return tuple(Tap(name, widths[output], i, kind) for i, (name, kind, output) in enumerate(named))  # type: ignore[arg-type]


def _sample(network: Any, count: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random pieces of texts, the last text a third shorter."""
    import torch

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, int(network.config.vocab_size), (count, length), generator=generator)
    mask, first = torch.ones_like(ids), torch.zeros_like(ids)
    mask[-1, length - length // 3 :] = 0
    first[:, :2] = 1
    padding = network.config.pad_token_id
    if padding is not None:  # which is not drawn: transformers counts positions without it
        ids = torch.where(ids == padding, (ids + 1) % int(network.config.vocab_size), ids)
    return ids, mask, first


def is_causal(network: Any) -> bool:
    """Whether a piece sees only what stands before it: then the first row stays when the others change."""
    import torch

    ids, mask, _ = _sample(network, 1, 6)
    other = ids.clone()
    other[0, 1:] = ids[0, 1:].flip(0)
    with torch.no_grad():
        before, after = (_layers(network, pieces, mask)[-1][0, 0] for pieces in (ids, other))
    return bool((before - after).abs().max() < _UNMOVED * before.abs().max())


def _layers(network: Any, ids: Tensor, mask: Tensor) -> Sequence[Tensor]:
    """The embedding's and every layer's rows, (N, T, width) each."""
    import torch

    padding = network.config.pad_token_id
    pieces = torch.where(mask > 0, ids, torch.full_like(ids, 0 if padding is None else padding))
    layers = network(input_ids=pieces, attention_mask=mask, output_hidden_states=True, return_dict=True).hidden_states
    return tuple(layers)


def _mean(rows: Tensor, marks: Tensor) -> Tensor:
    weights = marks.to(rows.dtype)[:, :, None]
    return (rows * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def pool(rows: Tensor, mask: Tensor, way: str) -> Tensor:
    """One row a text, as sentence-transformers' Pooling has it; padding stands on the right.

    rows: (N, T, width). mask: (N, T). way: `cls`, `lasttoken`, `max`, `mean`, `mean_sqrt_len_tokens` or `weightedmean`.
    """
    import torch

    weights = mask.to(rows.dtype)[:, :, None]
    if way == "cls":
        return rows[:, 0]
    if way == "lasttoken":
        ends = torch.cumsum(weights, 1) == weights.sum(1, keepdim=True)
        return (rows * (ends.to(rows.dtype) * weights)).sum(1)
    if way == "max":
        return torch.where(weights > 0, rows, torch.full_like(rows, -1e9)).amax(1)
    if way == "mean_sqrt_len_tokens":
        return (rows * weights).sum(1) / weights.sum(1).clamp(min=1.0).sqrt()
    if way == "weightedmean":
        return _mean(rows, weights[:, :, 0] * torch.cumsum(torch.ones_like(weights[:, :, 0]), 1))
    return _mean(rows, mask)


def _whole(network: Any, folder: TextFolder) -> Any:
    """A module from ids, mask and first to all outputs, (N, width) each, in the order of its `names`."""
    from torch import cat, nn

    causal, count = is_causal(network), len(_layers(network, *_sample(network, 1, 4)[:2]))
    own = folder.poolings != ("mean",) or bool(folder.dense)
    firsts = range(max(1, count - FIRST_LAYERS), count)

    class Whole(nn.Module):  # type: ignore[misc, unused-ignore]
        """The network with everything pooled behind it."""

        names = (
            *(f"layer{k}.pooled" for k in range(count)),
            *(f"layer{k}.first" for k in firsts),
            *([f"{TOKEN}.pooled"] * causal + [f"{SENTENCE}.pooled"] * own),
        )

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.dense = nn.Sequential(*(_dense_layer(layer) for layer in folder.dense))

        def forward(self, ids: Tensor, mask: Tensor, first: Tensor) -> tuple[Tensor, ...]:
            """Pieces (N, T) → every output."""
            layers = _layers(network, ids, mask)
            rows = [_mean(layer, mask) for layer in layers] + [_mean(layers[k], first) for k in firsts]
            if causal:
                rows.append(pool(layers[-1], mask, "lasttoken"))
            if own:
                rows.append(self.dense(cat([pool(layers[-1], mask, way) for way in folder.poolings], 1)))
            return tuple(rows)

    return Whole().eval()


def _dense_layer(layer: DenseLayer) -> nn.Module:
    """A sentence-transformers Dense with its weights."""
    import torch
    from safetensors.torch import load_file
    from torch import nn

    if layer.activation not in _ACTIVATIONS:
        raise BackboneError(
            f"the dense layer in {layer.folder} has the activation {layer.activation}; known are "
            f"{join_words(_ACTIVATIONS)}."
        )
    file = layer.folder / "model.safetensors"
    try:
        tensors = (
            load_file(file)
            if file.is_file()
            else torch.load(layer.folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
        )
        weight = tensors["linear.weight"].float()
    except Exception as error:  # whatever a missing or damaged file raises
        raise BackboneError(f"the weights of the dense layer in {layer.folder} cannot be read: copy them.") from error
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias="linear.bias" in tensors)
    linear.load_state_dict({name.removeprefix("linear."): value.float() for name, value in tensors.items()})
    return nn.Sequential(linear, getattr(nn, layer.activation)())


def _export(whole: Any, sample: Sequence[Tensor]) -> bytes:
    import torch

    file = io.BytesIO()
    lengths = {name: {0: "N", 1: "T"} for name in INPUTS} | {name: {0: "N"} for name in whole.names}
    try:
        torch.onnx.export(
            whole,
            tuple(sample),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=list(whole.names),
            dynamic_axes=lengths,
        )
    except Exception as error:  # whatever a network that cannot be traced raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackboneError(
            f"a network of the class {type(whole.network).__name__} could not be turned into a graph: {reason}"
        ) from error
    return file.getvalue()


def _tidy(content: bytes) -> bytes:
    """The graph without traces of this machine; raises `BackboneError` where its course depends on a text."""
    import onnx

    model = onnx.load_from_string(content)
    if any(node.op_type in ("If", "Loop", "Scan") for node in model.graph.node):
        raise BackboneError("the network's course depends on its input, which a graph here cannot: take another.")
    for node in model.graph.node:
        node.doc_string = ""
    del model.graph.value_info[:]
    model.graph.name, model.producer_name, model.producer_version = "headstart", "headstart", ""
    return bytes(model.SerializeToString(deterministic=True))


def _check(whole: Any, content: bytes, samples: Sequence[Sequence[Tensor]]) -> None:
    """A graph with a length or a mask frozen into it would be wrong without anyone noticing."""
    import openvino

    core = openvino.Core()
    network = core.compile_model(core.read_model(io.BytesIO(content)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for sample in samples:
        rows = network({name: values.numpy() for name, values in zip(INPUTS, sample, strict=True)})
        for i, expected in enumerate(whole(*sample)):
            scale = max(1.0, float(expected.abs().max()))
            if not np.abs(rows[i] - expected.numpy()).max() <= _SAME * scale:
                raise BackboneError(
                    f"the graph of a {type(whole.network).__name__} does not answer as the network does "
                    f"({whole.names[i]}): this version of transformers is not supported; use another network."
                )
