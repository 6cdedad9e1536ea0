"""Frozen batch norms inside the convolutions before them, while a tail trains.

With its statistics frozen, a batch norm only scales and shifts: conv(x, w · γ/σ) + β - μγ/σ is the same function of the
same parameters, gradients included, and saves passes over the activations forwards and backwards. `pairs` finds the
convolutions and norms, `folded` lets them run that way for a while. Needs torch.
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

    with torch.no_grad():
        return convolutions_with_norms(stages, torch.zeros(1, 3, size, size, device=_device(stages)))


def _device(stages: Stages) -> Any:
    return next(stages.network.parameters()).device


@contextmanager
def folded_batchnorm(found: Sequence[FoldablePair]) -> Iterator[None]:
    """Run these pairs as one convolution each, where the norm is in evaluation mode and that costs nothing.

    A norm that trains behind a convolution that does not is left alone: it would need the convolution's gradient.
    """
    used = [pair for pair in found if _pays(*pair)]
    for convolution, norm in used:
        convolution.forward, norm.forward = _together(convolution, norm), _rest(norm)
    try:
        yield
    finally:
        for convolution, norm in used:
            del convolution.forward, norm.forward


def _pays(convolution: Any, norm: Any) -> bool:
    if norm.training or norm.weight is None:
        return False
    return bool(convolution.weight.requires_grad or not norm.weight.requires_grad)


def _together(convolution: Any, norm: Any) -> Callable[[Any], Any]:
    from timm.layers import Conv2dSame
    from timm.layers.conv2d_same import conv2d_same

    def forward(x: Any) -> Any:
        """The norm of the convolution of `x`, both in one convolution: (N, channels, rows, columns)."""
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = convolution.weight * scale[:, None, None, None]
        bias = norm.bias - norm.running_mean * scale
        if convolution.bias is not None:
            bias = bias + convolution.bias * scale
        if isinstance(convolution, Conv2dSame):
            how = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
            return conv2d_same(x, weight, bias, *how)
        return convolution._conv_forward(x, weight, bias)

    return forward


def _rest(norm: Any) -> Callable[[Any], Any]:
    """What timm's norms do after normalising."""
    activation = getattr(norm, "act", None)
    return lambda x: x if activation is None else activation(x)
