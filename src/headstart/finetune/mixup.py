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


def mix_batch(x: Tensor, targets: Tensor, recipe: Recipe, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Inputs and targets mixed with those of the batch in another order.

    Mixup (Zhang et al. 2018) blends whole inputs; cutmix (Yun et al. 2019) pastes a rectangle, and so only maps
    (n, channels, rows, columns). Where both are wanted, each batch is mixed by one of them, at random.
    """
    import torch

    cut = recipe.cutmix > 0 and x.ndim == 4 and (recipe.mixup == 0 or random.random() < 0.5)
    alpha = recipe.cutmix if cut else recipe.mixup
    if alpha == 0 or len(x) < 2:
        return x, targets
    # x̃ = λ x_i + (1 - λ) x_j and ỹ = λ y_i + (1 - λ) y_j with λ ~ Beta(α, α) (Zhang et al. 2018).
    lam = float(random.beta(alpha, alpha))
    partner = torch.from_numpy(random.permutation(len(x))).to(x.device)
    if cut:
        x, lam = _paste_rectangle(x, x[partner], lam, random)
    else:
        x = x.lerp(x[partner], 1 - lam)
    return x, targets.lerp(targets[partner], 1 - lam)


def _paste_rectangle(x: Tensor, partner: Tensor, lam: float, random: np.random.Generator) -> tuple[Tensor, float]:
    """Inputs with a rectangle of about the area 1 - λ from their partners, and the λ of the rectangle as clipped."""
    height, width = x.shape[2:]
    side = np.sqrt(1 - lam)  # of the map's height and width (Yun et al. 2019, eq. 2)
    row, column = random.integers(height), random.integers(width)
    top, bottom = np.clip([row - side * height / 2, row + side * height / 2], 0, height).round().astype(int)
    left, right = np.clip([column - side * width / 2, column + side * width / 2], 0, width).round().astype(int)
    x = x.clone()
    x[:, :, top:bottom, left:right] = partner[:, :, top:bottom, left:right]
    return x, 1 - float((bottom - top) * (right - left)) / (height * width)
