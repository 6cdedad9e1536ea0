"""The training configuration of a fine-tune: a user's options, and the defaults that follow from the size of the data.

`Recipe` holds what a user may say, None where the data decide; `settle_recipe` turns it into a `TrainingConfig`, all
numbers known, with the reason for each that was derived. It trains nothing and needs no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from headstart import checks
from headstart.errors import OptionError
from headstart.finetune.strategies import Strategy

AUGMENTS = ("none", "light", "medium", "strong")
PRECISIONS = ("auto", "f32", "bf16")
HEAD_INITS = ("probe", "random")
NORMS = ("auto", "frozen", "trained")

_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 400, 6, 20
_FROM_SCRATCH = 3
"""How many times as many epochs a network trains from random weights."""
_EARLY_STOPPING_FROM = 2000
"""Training images from which a sixth of them can be spared to stop by."""
_PATIENCE = 5


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The training configuration of a fine-tune, as far as a user says it; None leaves a field to the size of the data.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training images, at least 1; None aims at 400 steps.
    stage_epochs : int
        Epochs of each step of gradual unfreezing, at least 1.
    batch : int, optional
        Images a step, at least 1; None for 32, or a quarter of few images.
    rate : float
        AdamW's learning rate of the head, above 0.
    backbone_rate : float, optional
        Learning rate of the last trained stage, above 0; None for a tenth of `rate`.
    layer_decay : float
        Factor of that rate for each stage further down, 0.01 to 1.
    weight_decay : float
        Weight decay of matrices and kernels, 0 to 10.
    warmup : float
        Share of the steps in which the rate rises, 0 to below 1; then it falls as a cosine.
    smoothing : float
        Label smoothing, 0 to below 1 (Szegedy et al. 2016).
    mixup, cutmix : float
        α of their Beta distribution, 0 for none; they mix activations where these are cached.
    augment : str, optional
        'none', 'light', 'medium' or 'strong'; None for light, from scratch medium.
    views : int
        Augmented views of an image that are cached, at least 0.
    balanced : bool
        Draw every class equally often.
    ema : float
        Decay of the exponential moving average of the weights, 0 (none) to below 1.
    patience : int, optional
        Epochs without improvement on an inner fold after which training stops, 0 for never; None for 5 from 2,000
        images on.
    clip : float
        Largest norm of the gradient, above 0.
    precision : str
        'auto' (timed), 'f32' or 'bf16'.
    compile : bool
        Use torch.compile.
    norms : str
        Batch-norm statistics of trained stages, 'auto', 'frozen' or 'trained'; auto freezes them except from scratch.
    l2sp : tuple of float
        L2-SP weights (Li et al. 2018), 0 to 100; several are compared on the folds.
    interpolate : bool
        Compare mixtures of the initial and the final weights (WiSE-FT, Wortsman et al. 2022) on the folds.
    head_init : str
        Initialisation of the head, 'probe' (LP-FT, Kumar et al. 2022) or 'random'.
    rank : int
        Rank of low-rank adapters (LoRA, Hu et al. 2022), at least 1.

    Raises
    ------
    OptionError
        A field is out of its range, or is no known word.

    Examples
    --------
    >>> Recipe(epochs=5, l2sp=(0.0, 0.01)).batch is None
    True
    """

    epochs: int | None = None
    stage_epochs: int = 5
    batch: int | None = None
    rate: float = 1e-3
    backbone_rate: float | None = None
    layer_decay: float = 0.85
    weight_decay: float = 0.05
    warmup: float = 0.1
    smoothing: float = 0.1
    mixup: float = 0.0
    cutmix: float = 0.0
    augment: str | None = None
    views: int = 4
    balanced: bool = False
    ema: float = 0.0
    patience: int | None = None
    clip: float = 1.0
    precision: str = "auto"
    compile: bool = False
    norms: str = "auto"
    l2sp: tuple[float, ...] = (0.0,)
    interpolate: bool = True
    head_init: str = "probe"
    rank: int = 8

    def __post_init__(self) -> None:
        for name in ("stage_epochs", "rank"):
            checks.at_least(name, getattr(self, name), 1)
        for name in ("epochs", "batch"):
            checks.at_least(name, 1 if getattr(self, name) is None else getattr(self, name), 1)
        checks.at_least("views", self.views, 0)
        checks.at_least("patience", self.patience or 0, 0)
        for name in ("rate", "clip", "backbone_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{name} must be above 0; found {value!r}.")
        for name in ("warmup", "smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 0 and below 1; found {getattr(self, name)!r}.")
        checks.between("layer_decay", self.layer_decay, 0.01, 1)
        checks.between("weight_decay", self.weight_decay, 0, 10)
        for name in ("mixup", "cutmix"):
            checks.between(name, getattr(self, name), 0, 100)
        if not self.l2sp or len(set(self.l2sp)) < len(self.l2sp) or not all(0 <= value <= 100 for value in self.l2sp):
            raise OptionError(f"l2sp must be one or more different weights from 0 to 100; found {self.l2sp!r}.")
        for name, choices in (("precision", PRECISIONS), ("norms", NORMS), ("head_init", HEAD_INITS)):
            checks.one_of(name, getattr(self, name), choices)
        checks.one_of("augment", self.augment or "none", AUGMENTS)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A recipe with what the strategy and the size of the data decide; names as in `Recipe`.

    random_network: the network's weights are random, and its embeddings say nothing yet. reasons: for the
    derived values, for the user.
    """

    recipe: Recipe
    epochs: int
    batch: int
    backbone_rate: float
    layer_decay: float
    augment: str
    views: int
    patience: int
    norms: Literal["frozen", "trained"]
    head_init: str
    random_network: bool
    reasons: tuple[str, ...] = field(default=(), compare=False)


def settle_recipe(recipe: Recipe, strategy: Strategy, images: int) -> TrainingConfig:
    """The recipe for a strategy and so many training images. Raises `OptionError` for a batch larger than these.

    >>> settle_recipe(Recipe(), Strategy("last-1", "stages", 1), 300).epochs
    20
    """
    if recipe.batch is not None and recipe.batch > images:
        raise OptionError(
            f"a batch of {recipe.batch} images was asked for, and a model is trained on {images:,} of them at a time: "
            f"choose --batch {images} or less."
        )
    scratch = strategy.kind == "scratch"
    batch = recipe.batch or max(1, min(32, images // 4))
    epochs = recipe.epochs or (recipe.stage_epochs if strategy.kind == "gradual" else _epochs(images, batch, scratch))
    patience = recipe.patience if recipe.patience is not None else _PATIENCE * (images >= _EARLY_STOPPING_FROM)
    norms = recipe.norms if recipe.norms != "auto" else "trained" if scratch else "frozen"
    augment = recipe.augment or ("medium" if scratch else "light")
    return TrainingConfig(
        recipe=recipe,
        epochs=epochs,
        batch=batch,
        backbone_rate=recipe.backbone_rate or recipe.rate * (1.0 if scratch else 0.1),
        layer_decay=1.0 if scratch else recipe.layer_decay,
        augment=augment,
        views=0 if augment == "none" else recipe.views,
        patience=patience,
        norms="trained" if norms == "trained" else "frozen",
        head_init="random" if scratch else recipe.head_init,
        random_network=scratch,
        reasons=(
            f"{epochs} epochs of batches of {batch}: about {_STEPS} steps are aimed at, and {images:,} images train",
            f"augmentation {augment}, early stopping {'after ' + str(patience) + ' epochs' if patience else 'off'}",
        ),
    )


def _epochs(images: int, batch: int, scratch: bool) -> int:
    """Epochs of ⌈images / batch⌉ steps that make about 400 steps, but 6 to 20; three times as many from scratch."""
    epochs = math.ceil(_STEPS / math.ceil(images / batch))
    return min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS) * (_FROM_SCRATCH if scratch else 1)
