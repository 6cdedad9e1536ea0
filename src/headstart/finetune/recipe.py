"""How a fine-tune trains: the plain options, and the defaults that follow from the size of the data.

`Recipe` holds what a user may say, None where the data decide; `settle` turns it into `Settings`, all numbers known,
with the reason for each that was derived. It trains nothing and needs no torch.
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
STARTS = ("probe", "random")
NORMS = ("auto", "frozen", "trained")

_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 400, 6, 20
_FROM_SCRATCH = 3
_MANY = 2000
_PATIENCE = 5


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a user may say about a fine-tune; None leaves it to the size of the data.

    epochs: passes over the training images. stage_epochs: of each step of gradual unfreezing. batch: images a step.
    rate: AdamW's learning rate of the head; backbone_rate: of the last trained stage; layer_decay: what it is
    multiplied by for each stage further down. weight_decay: of matrices and kernels. warmup: share of the steps in
    which the rate rises; then it falls as a cosine. smoothing: of the labels. mixup, cutmix: the α of their Beta
    distribution, 0 for none; where activations are cached, what is mixed are these. augment: none, light, medium or
    strong. views: augmented views of an image that are cached. balanced: draw every class equally often. ema: decay of
    the running mean of the weights, 0 for none. patience: epochs without improvement on an inner fold after which
    training stops, 0 for never. clip: largest norm of the gradient. precision: auto, f32 or bf16. compile: use
    torch.compile. norms: batch-norm statistics of trained stages are 'frozen' or 'trained'. l2sp: strengths of the pull
    back to the start (L2-SP, Li et al. 2018); several are compared on the folds. interpolate: compare mixtures of start
    and end (WiSE-FT, Wortsman et al. 2022) on the folds. start: the head's first weights, a linear probe's or random.
    rank: of low-rank adapters.
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
    start: str = "probe"
    rank: int = 8

    def __post_init__(self) -> None:
        for name in ("stage_epochs", "rank"):
            checks.at_least(name, getattr(self, name), 1)
        for name in ("epochs", "batch"):
            checks.at_least(name, 1 if getattr(self, name) is None else getattr(self, name), 1)
        checks.at_least("views", self.views, 0)
        checks.at_least("patience", self.patience or 0, 0)
        for name, value in self._above_zero().items():
            if not 0 < value < math.inf:
                raise OptionError(f"{name} must be above 0; found {value!r}.")
        for name in ("warmup", "smoothing", "ema"):
            _below_one(name, getattr(self, name))
        checks.between("layer_decay", self.layer_decay, 0.01, 1)
        checks.between("weight_decay", self.weight_decay, 0, 10)
        for name in ("mixup", "cutmix"):
            checks.between(name, getattr(self, name), 0, 100)
        if not self.l2sp or len(set(self.l2sp)) < len(self.l2sp) or not all(0 <= value <= 100 for value in self.l2sp):
            raise OptionError(f"l2sp must be one or more different strengths from 0 to 100; found {self.l2sp!r}.")
        for name, known in (("precision", PRECISIONS), ("norms", NORMS), ("start", STARTS)):
            checks.one_of(name, getattr(self, name), known)
        checks.one_of("augment", self.augment or "none", AUGMENTS)

    def _above_zero(self) -> dict[str, float]:
        rates = {"rate": self.rate, "clip": self.clip}
        return rates if self.backbone_rate is None else {**rates, "backbone_rate": self.backbone_rate}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A recipe with what the strategy and the size of the data decide; names as in `Recipe`.

    random_network: the network's weights are random, and its embeddings say nothing yet. reasons: for what was derived,
    for the user.
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
    start: str
    random_network: bool
    reasons: tuple[str, ...] = field(default=(), compare=False)


def settle_recipe(recipe: Recipe, strategy: Strategy, images: int) -> Settings:
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
    patience = recipe.patience if recipe.patience is not None else _PATIENCE * (images >= _MANY)
    augment = recipe.augment or ("medium" if scratch else "light")
    return Settings(
        recipe=recipe,
        epochs=epochs,
        batch=batch,
        backbone_rate=recipe.backbone_rate or recipe.rate * (1.0 if scratch else 0.1),
        layer_decay=1.0 if scratch else recipe.layer_decay,
        augment=augment,
        views=0 if augment == "none" else recipe.views,
        patience=patience,
        norms=_norms(recipe.norms, scratch),
        start="random" if scratch else recipe.start,
        random_network=scratch,
        reasons=(
            f"{epochs} epochs of batches of {batch}: about {_STEPS} steps are aimed at, and {images:,} images train",
            f"augmentation {augment}, early stopping {'after ' + str(patience) + ' epochs' if patience else 'off'}",
        ),
    )


def _epochs(images: int, batch: int, scratch: bool) -> int:
    """Enough epochs for some hundred steps, within reason; three times as many from scratch."""
    wanted = math.ceil(_STEPS / math.ceil(images / batch))
    return min(max(wanted, _FEWEST_EPOCHS), _MOST_EPOCHS) * (_FROM_SCRATCH if scratch else 1)


def _norms(asked: str, scratch: bool) -> Literal["frozen", "trained"]:
    if asked == "auto":
        return "trained" if scratch else "frozen"
    return "trained" if asked == "trained" else "frozen"


def _below_one(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise OptionError(f"{name} must be at least 0 and below 1; found {value!r}.")
