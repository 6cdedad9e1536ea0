"""Targets and inputs of a training step: smoothed labels, mixup and cutmix.

Where boundary activations are cached, these are what is mixed (as manifold mixup does, Verma et al. 2019). Needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.finetune.recipe import Recipe
from headstart.records.arrays import Ints

if TYPE_CHECKING:
    from torch import Tensor


def soft_labels(labels: Ints, classes: int, smoothing: float, device: Any) -> Tensor:
    """One-hot rows (n, classes), of which the share `smoothing` is spread evenly (Szegedy et al. 2016, eq. 7)."""
    import torch

    rows = torch.full((len(labels), classes), smoothing / classes, device=device)
    rows[torch.arange(len(labels), device=device), torch.from_numpy(labels).to(device)] += 1 - smoothing
    return rows


def mix_batch(x: Tensor, targets: Tensor, recipe: Recipe, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Inputs and targets mixed with those of the batch in another order.

    Mixup (Zhang et al. 2018) blends whole inputs; cutmix (Yun et al. 2019) pastes a rectangle, and so only maps
    (n, channels, rows, columns). Where both are wanted, each batch is mixed by one of them, at random.
    """
    import torch

    cut = recipe.cutmix > 0 and x.ndim == 4 and (recipe.mixup == 0 or draw.random() < 0.5)
    alpha = recipe.cutmix if cut else recipe.mixup
    if alpha == 0 or len(x) < 2:
        return x, targets
    share = float(draw.beta(alpha, alpha))
    other = torch.from_numpy(draw.permutation(len(x))).to(x.device)
    if cut:
        x, share = _pasted(x, x[other], share, draw)
    else:
        x = x.lerp(x[other], 1 - share)
    return x, targets.lerp(targets[other], 1 - share)


def _pasted(x: Tensor, other: Tensor, share: float, draw: np.random.Generator) -> tuple[Tensor, float]:
    """A rectangle of about the area 1 - share from the other inputs, and the share that is really left."""
    height, width = x.shape[2:]
    side = np.sqrt(1 - share)
    row, column = draw.integers(height), draw.integers(width)
    top, bottom = np.clip([row - side * height / 2, row + side * height / 2], 0, height).round().astype(int)
    left, right = np.clip([column - side * width / 2, column + side * width / 2], 0, width).round().astype(int)
    x = x.clone()
    x[:, :, top:bottom, left:right] = other[:, :, top:bottom, left:right]
    return x, 1 - float((bottom - top) * (right - left)) / (height * width)
