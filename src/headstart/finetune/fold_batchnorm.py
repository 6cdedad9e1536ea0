"""Frozen batch norms inside the convolutions before them, while a tail trains.

With its statistics frozen, a batch norm only scales and shifts: conv(x, w · γ/σ) + β - μγ/σ is the same function of the
same parameters, gradients included, and saves passes over the activations forwards and backwards. `foldable_pairs`
finds the convolutions and norms, `folded_batchnorm` runs them that way within a `with` block. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headstart.embed.torch_engine import convolutions_with_norms

if TYPE_CHECKING:
    from headstart.backbones.conversion.stages import Stages

FoldablePair = tuple[Any, Any]
"""A convolution, and the batch norm that takes its output."""


def foldable_pairs(stages: Stages, size: int) -> list[FoldablePair]:
    """The pairs of a network, as seen on an image of this size."""
    import torch

    device = next(stages.network.parameters()).device
    with torch.no_grad():
        return convolutions_with_norms(stages, torch.zeros(1, 3, size, size, device=device))


@contextmanager
def folded_batchnorm(pairs: Sequence[FoldablePair]) -> Iterator[None]:
    """Run these pairs as one convolution each, where the norm is in evaluation mode and that costs nothing.

    A norm that trains behind a convolution that does not is left alone: it would need the convolution's gradient.
    """
    folded = [pair for pair in pairs if _is_worthwhile(*pair)]
    for convolution, norm in folded:
        convolution.forward, norm.forward = _fused_forward(convolution, norm), _activation_forward(norm)
    try:
        yield
    finally:
        for convolution, norm in folded:
            del convolution.forward, norm.forward


def _is_worthwhile(convolution: Any, norm: Any) -> bool:
    if norm.training or norm.weight is None:
        return False
    return bool(convolution.weight.requires_grad or not norm.weight.requires_grad)


def _fused_forward(convolution: Any, norm: Any) -> Callable[[Any], Any]:
    from timm.layers import Conv2dSame
    from timm.layers.conv2d_same import conv2d_same

    def forward(x: Any) -> Any:
        """The norm of the convolution of `x`, both in one convolution: (N, channels, rows, columns)."""
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()  # γ / σ
        weight = convolution.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        if convolution.bias is not None:
            bias = bias + convolution.bias * scale
        if isinstance(convolution, Conv2dSame):
            geometry = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
            return conv2d_same(x, weight, bias, *geometry)
        return convolution._conv_forward(x, weight, bias)

    return forward


def _activation_forward(norm: Any) -> Callable[[Any], Any]:
    """What timm's norms do after normalising."""
    activation = getattr(norm, "act", None)
    return lambda x: x if activation is None else activation(x)
