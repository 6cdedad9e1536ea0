"""The training loop: one phase of a fine-tune, from its start or from a checkpoint, to its end.

`train` takes a tail, a feed of boundary activations and labels, and leaves the tail trained. What is drawn in an epoch
(order, views, mixing, dropout) follows from seed, phase and epoch alone, so a run that goes on after a kill ends with
the same weights as one that was never stopped. It chooses no settings and scores nothing but its own inner fold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headstart.finetune.mixup import mix_batch, soft_labels
from headstart.finetune.recipe import Settings
from headstart.finetune.tail import Tail, set_mode
from headstart.records.arrays import Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.finetune.batches import BatchSource

_EVALUATED = 64
"""Images that are scored at a time."""


class Keeper(Protocol):
    """Where a run is kept, so that it can go on (see `checkpoint`)."""

    def read(self, phase: int) -> tuple[int, dict[str, Tensor]] | None:
        """The epochs done of this phase and the state after them."""

    def write(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep the state after so many epochs."""


@dataclass(frozen=True, eq=False)
class Work:
    """What a phase trains on.

    feed: rows of activations. labels: (n,) class numbers of all the feed's rows. train: row numbers to train on. inner:
    row numbers by which training stops early, never trained on here; None without. classes: how many. seed, phase: what
    is drawn follows from them. pull: strength of L2-SP, towards the weights in anchor (by name). autocast: a context
    for the forward pass.
    """

    feed: BatchSource
    labels: Ints
    train: Ints
    inner: Ints | None
    classes: int
    seed: int
    phase: int
    pull: float
    anchor: Mapping[str, Tensor]
    autocast: Callable[[], Any]


def train_tail(
    tail: Tail, work: Work, settings: Settings, keeper: Keeper | None, advance: Callable[[int], None]
) -> str:
    """Train the tail in place; return why it stopped before its last epoch, or nothing.

    A loss that is not finite stops the run: the tail then has the weights of the last whole epoch.
    """
    import torch
    from torch.nn.functional import cross_entropy

    device = next(iter(tail.parameters.values())).device
    run = _Run(tail, work, settings)
    first = run.resume(keeper)
    advance(first)
    module = torch.compile(tail.module) if settings.recipe.compile else tail.module
    parameters = list(tail.parameters.values())
    with torch.random.fork_rng(devices=[]):
        for epoch in range(first, settings.epochs):
            if run.waited > settings.patience > 0:
                break
            draw = np.random.default_rng([work.seed, work.phase, epoch])
            order = list(_order(draw, work, settings, epoch))
            torch.manual_seed(int(draw.integers(2**31)))
            set_mode(tail.module, run.moving, training=True)
            for step, ((rows, _), x) in enumerate(zip(order, work.feed.batches(order), strict=True)):
                run.schedule(epoch + step / len(order))
                targets = soft_labels(work.labels[rows], work.classes, settings.recipe.smoothing, device)
                x, targets = mix_batch(x, targets, settings.recipe, draw)
                with work.autocast():
                    loss = cross_entropy(module(x), targets)
                if not torch.isfinite(loss):
                    tail.load(run.good)
                    return f"the loss was {float(loss.detach())} in epoch {epoch + 1}: lower --rate"
                (loss + run.penalty()).backward()
                torch.nn.utils.clip_grad_norm_(parameters, settings.recipe.clip)
                run.optimizer.step()
                run.optimizer.zero_grad(set_to_none=True)
                run.average()
            run.finish_epoch(epoch, keeper)
            advance(1)
    run.end()
    stopped = settings.patience and run.waited > settings.patience
    return f"stopped early after {run.done} of {settings.epochs} epochs" if stopped else ""


def _order(draw: np.random.Generator, work: Work, settings: Settings, epoch: int) -> Iterator[tuple[Ints, Ints]]:
    """The epoch's batches: row numbers and the view of each; batches are of nearly equal size."""
    rows = draw.permutation(work.train)
    if settings.recipe.balanced:
        sizes = np.bincount(work.labels[work.train], minlength=work.classes)
        odds = 1.0 / sizes[work.labels[work.train]]
        rows = draw.choice(work.train, size=len(work.train), p=odds / odds.sum())
    if work.feed.views is None:
        views = np.full(len(rows), epoch + 1)
    elif work.feed.views == 0:
        views = np.zeros(len(rows), np.int64)
    else:
        views = draw.integers(1, work.feed.views + 1, len(rows))
    count = math.ceil(len(rows) / settings.batch)
    yield from zip(np.array_split(rows, count), np.array_split(views, count), strict=True)


class _Run:
    """What changes while a phase trains: optimiser, running mean, the best state seen."""

    def __init__(self, tail: Tail, work: Work, settings: Settings) -> None:
        import torch

        self.tail, self.work, self.settings = tail, work, settings
        self.optimizer = torch.optim.AdamW(list(_groups(tail, settings)))
        self.base = [group["lr"] for group in self.optimizer.param_groups]
        norms = {name.rpartition(".")[0] for name in tail.statistics}
        self.moving = {m for m in tail.module.modules() if _holds(m, tail, norms)}
        self.good = tail.state()
        self.mean = tail.state() if settings.recipe.ema else None
        self.best: dict[str, Tensor] | None = None
        self.lowest, self.waited, self.done = math.inf, 0, 0

    def schedule(self, epoch: float) -> None:
        """Warm-up, then a cosine to zero; `epoch` counts in fractions."""
        share, warmup = epoch / self.settings.epochs, self.settings.recipe.warmup
        if share < warmup:
            factor = (share + 1e-3) / (warmup + 1e-3)
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))
        for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = base * factor

    def penalty(self) -> Any:
        """L2-SP: half the squared distance of the network's weights from their start, times its strength."""
        if not self.work.pull:
            return 0.0
        pairs = [(p, self.work.anchor[name]) for name, p in self.tail.parameters.items() if name in self.work.anchor]
        return 0.5 * self.work.pull * sum((parameter - start).square().sum() for parameter, start in pairs)

    def average(self) -> None:
        """Move the running mean of the weights a step."""
        if self.mean is None:
            return
        decay = self.settings.recipe.ema
        for name, value in {**self.tail.parameters, **self.tail.statistics}.items():
            self.mean[name].lerp_(value.detach(), 1 - decay)

    def finish_epoch(self, epoch: int, keeper: Keeper | None) -> None:
        """Note a whole epoch: its weights are good, and perhaps the best so far."""
        self.good, self.done = self.tail.state(), epoch + 1
        if self.work.inner is not None and self.settings.patience:
            self._judge(self.work.inner)
        if keeper is not None:
            keeper.write(self.work.phase, self.done, self._kept())

    def _judge(self, inner: Ints) -> None:
        if self.mean is not None:
            self.tail.load(self.mean)
        found = mean_loss(score_rows(self.tail, self.work.feed, inner, self.moving), self.work.labels[inner])
        if found < self.lowest:
            self.lowest, self.waited, self.best = found, 0, self.tail.state()
        else:
            self.waited += 1
        self.tail.load(self.good)

    def end(self) -> None:
        """Leave the tail with what this run is worth: the best state, the running mean, or the last."""
        if self.best is not None:
            self.tail.load(self.best)
        elif self.mean is not None:
            self.tail.load(self.mean)

    def _kept(self) -> dict[str, Tensor]:
        import torch

        kept = {f"weights/{name}": value for name, value in self.good.items()}
        for prefix, state in (("mean", self.mean), ("best", self.best)):
            kept.update({f"{prefix}/{name}": value for name, value in (state or {}).items()})
        for number, moments in self.optimizer.state_dict()["state"].items():
            kept.update({f"moments/{number}/{name}": value for name, value in moments.items()})
        kept["stopping"] = torch.tensor([self.lowest, float(self.waited)], dtype=torch.float64)
        return kept

    def resume(self, keeper: Keeper | None) -> int:
        """Take up a kept run; the number of epochs that it has done."""
        found = keeper.read(self.work.phase) if keeper is not None else None
        if found is None:
            return 0
        self.done, kept = found
        self.tail.load(_part(kept, "weights/"))
        self.good = self.tail.state()
        self.mean = _part(kept, "mean/") or None
        self.best = _part(kept, "best/") or None
        self.lowest, self.waited = float(kept["stopping"][0]), int(kept["stopping"][1])
        state = self.optimizer.state_dict()
        state["state"] = _moments(_part(kept, "moments/"))
        self.optimizer.load_state_dict(state)
        return self.done


def _holds(module: Any, tail: Tail, norms: set[str]) -> bool:
    """Whether a module is one of the batch norms whose statistics move."""
    own = getattr(module, "running_mean", None)
    return own is not None and any(own is tail.statistics.get(f"{name}.running_mean") for name in norms)


def _part(kept: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}


def _moments(flat: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        number, _, moment = name.partition("/")
        found.setdefault(int(number), {})[moment] = value
    return found


def _groups(tail: Tail, settings: Settings) -> Iterator[dict[str, Any]]:
    """A group for each learning rate and decay; only matrices and kernels decay."""
    members: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in tail.parameters.items():
        decay = settings.recipe.weight_decay if parameter.ndim > 1 else 0.0
        members.setdefault((tail.rates[name], decay), []).append(parameter)
    for (rate, decay), parameters in members.items():
        yield {"params": parameters, "lr": rate, "weight_decay": decay}


def score_rows(tail: Tail, feed: BatchSource, rows: Ints, moving: set[Any]) -> Floats:
    """The tail's scores (n, K) of the clean views of some rows, in evaluation mode and full precision."""
    import torch

    set_mode(tail.module, moving, training=False)
    pieces = np.array_split(rows, max(1, math.ceil(len(rows) / _EVALUATED)))
    order = [(piece, np.zeros(len(piece), np.int64)) for piece in pieces]
    with torch.inference_mode():
        found = [tail.module(x).float().cpu().numpy() for x in feed.batches(order)]
    return np.concatenate(found).astype(np.float32)


def mean_loss(found: Floats, labels: Ints) -> float:
    """The mean log-loss of scores (n, K)."""
    shifted = found.astype(np.float64) - found.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())
