"""The training loop: one phase of a fine-tune, from its initial weights or from a checkpoint, to its last epoch.

`train_tail` takes a tail and a `TrainingJob` (batches of boundary activations, labels) and trains the tail in place.
What is random in an epoch (order, views, mixing, dropout) follows from seed, phase and epoch alone, so a run that goes
on after a kill ends with the same weights as one that was never stopped. It chooses no configuration and scores nothing
but its inner fold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headstart.finetune.mixup import mix_batch, soft_labels
from headstart.finetune.recipe import TrainingConfig
from headstart.finetune.tail import Tail, set_mode
from headstart.heads.side_by_side import check_time
from headstart.records.arrays import Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.finetune.batches import BatchSource

_EVALUATION_BATCH = 64
"""Images that are scored at a time."""


class CheckpointStore(Protocol):
    """Where the state of a run is saved after an epoch, so that it can go on (see `checkpoint.Checkpoint`)."""

    def read(self, phase: int) -> tuple[int, dict[str, Tensor]] | None:
        """The epochs done of this phase and the state after them; None where nothing is saved of it."""

    def write(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Save the state after so many epochs."""


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What a phase trains on.

    source: batches of activations. labels: (n,) class numbers of all the source's rows. train: row numbers to train on.
    inner: row numbers by which training stops early, never trained on here; None without. classes: how many. seed,
    phase: random numbers follow from them. l2sp: weight of L2-SP, towards the values in `anchor` (by name). autocast: a
    context for the forward pass.
    """

    source: BatchSource
    labels: Ints
    train: Ints
    inner: Ints | None
    classes: int
    seed: int
    phase: int
    l2sp: float
    anchor: Mapping[str, Tensor]
    autocast: Callable[[], Any]


def train_tail(
    tail: Tail,
    job: TrainingJob,
    config: TrainingConfig,
    checkpoint: CheckpointStore | None,
    advance: Callable[[int], None],
) -> str:
    """Train the tail in place; return why it stopped before its last epoch, or nothing.

    A loss that is not finite stops the run: the tail then has the weights of the last whole epoch.
    """
    import torch
    from torch.nn.functional import cross_entropy

    device = next(iter(tail.parameters.values())).device
    run = _PhaseRun(tail, job, config)
    first = run.resume(checkpoint)
    advance(first)
    module = torch.compile(tail.module) if config.recipe.compile else tail.module
    parameters = list(tail.parameters.values())
    with torch.random.fork_rng(devices=[]):
        for epoch in range(first, config.epochs):
            if run.stale_epochs > config.patience > 0:
                break
            random = np.random.default_rng([job.seed, job.phase, epoch])
            order = list(_batch_requests(random, job, config, epoch))
            torch.manual_seed(int(random.integers(2**31)))
            set_mode(tail.module, run.moving_norms, training=True)
            for step, ((rows, _), x) in enumerate(zip(order, job.source.batches(order), strict=True)):
                check_time()
                run.schedule(epoch + step / len(order))
                targets = soft_labels(job.labels[rows], job.classes, config.recipe.smoothing, device)
                x, targets = mix_batch(x, targets, config.recipe, random)
                with job.autocast():
                    loss = cross_entropy(module(x), targets)
                if not torch.isfinite(loss):
                    tail.load(run.last_epoch)
                    return f"the loss was {float(loss.detach())} in epoch {epoch + 1}: lower --rate"
                (loss + run.penalty()).backward()
                torch.nn.utils.clip_grad_norm_(parameters, config.recipe.clip)
                run.optimizer.step()
                run.optimizer.zero_grad(set_to_none=True)
                run.update_average()
            run.finish_epoch(epoch, checkpoint)
            advance(1)
    run.finish()
    stopped = config.patience and run.stale_epochs > config.patience
    return f"stopped early after {run.done} of {config.epochs} epochs" if stopped else ""


def _batch_requests(
    random: np.random.Generator, job: TrainingJob, config: TrainingConfig, epoch: int
) -> Iterator[tuple[Ints, Ints]]:
    """The epoch's batches: row numbers and the view of each; batches are of nearly equal size."""
    rows = random.permutation(job.train)
    if config.recipe.balanced:
        sizes = np.bincount(job.labels[job.train], minlength=job.classes)
        odds = 1.0 / sizes[job.labels[job.train]]  # every class is drawn equally often
        rows = random.choice(job.train, size=len(job.train), p=odds / odds.sum())
    if job.source.views is None:
        views = np.full(len(rows), epoch + 1)
    elif job.source.views == 0:
        views = np.zeros(len(rows), np.int64)
    else:
        views = random.integers(1, job.source.views + 1, len(rows))
    count = math.ceil(len(rows) / config.batch)
    yield from zip(np.array_split(rows, count), np.array_split(views, count), strict=True)


class _PhaseRun:
    """What changes while a phase trains.

    last_epoch: the state after the last whole epoch. averaged: exponential moving average of the weights. best_state:
    that of the lowest loss on the inner fold; stale_epochs: whole epochs since then. done: epochs of this phase.
    """

    def __init__(self, tail: Tail, job: TrainingJob, config: TrainingConfig) -> None:
        import torch

        self.tail, self.job, self.config = tail, job, config
        self.optimizer = torch.optim.AdamW(list(_groups(tail, config)))
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        norms = {name.rpartition(".")[0] for name in tail.statistics}
        self.moving_norms = {m for m in tail.module.modules() if _is_moving_norm(m, tail, norms)}
        self.last_epoch = tail.state()
        self.averaged = tail.state() if config.recipe.ema else None
        self.best_state: dict[str, Tensor] | None = None
        self.lowest_loss, self.stale_epochs, self.done = math.inf, 0, 0

    def schedule(self, epoch: float) -> None:
        """Set the learning rates: a linear warm-up, then a cosine to zero; `epoch` counts in fractions."""
        progress, warmup = epoch / self.config.epochs, self.config.recipe.warmup
        if progress < warmup:
            factor = (progress + 1e-3) / (warmup + 1e-3)  # the first step's rate is not 0
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
        for group, base_rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base_rate * factor

    def penalty(self) -> Any:
        """L2-SP (Li et al. 2018): α/2 |w - w₀|² with the network's weights w and their initial values w₀."""
        if not self.job.l2sp:
            return 0.0
        pairs = [(p, self.job.anchor[name]) for name, p in self.tail.parameters.items() if name in self.job.anchor]
        return 0.5 * self.job.l2sp * sum((parameter - initial).square().sum() for parameter, initial in pairs)

    def update_average(self) -> None:
        """Move the running average of the weights a step: m ← decay · m + (1 - decay) · w."""
        if self.averaged is None:
            return
        decay = self.config.recipe.ema
        for name, value in {**self.tail.parameters, **self.tail.statistics}.items():
            self.averaged[name].lerp_(value.detach(), 1 - decay)

    def finish_epoch(self, epoch: int, checkpoint: CheckpointStore | None) -> None:
        """Remember the state after a whole epoch, validate it where training may stop early, and save it."""
        self.last_epoch, self.done = self.tail.state(), epoch + 1
        if self.job.inner is not None and self.config.patience:
            self._validate(self.job.inner)
        if checkpoint is not None:
            checkpoint.write(self.job.phase, self.done, self._full_state())

    def _validate(self, inner: Ints) -> None:
        """Compare the loss on the inner fold with the lowest so far."""
        if self.averaged is not None:
            self.tail.load(self.averaged)
        loss = mean_loss(score_rows(self.tail, self.job.source, inner, self.moving_norms), self.job.labels[inner])
        if loss < self.lowest_loss:
            self.lowest_loss, self.stale_epochs, self.best_state = loss, 0, self.tail.state()
        else:
            self.stale_epochs += 1
        self.tail.load(self.last_epoch)

    def finish(self) -> None:
        """Leave the tail in the best state, or with the averaged weights, or as the last step left it."""
        if self.best_state is not None:
            self.tail.load(self.best_state)
        elif self.averaged is not None:
            self.tail.load(self.averaged)

    def _full_state(self) -> dict[str, Tensor]:
        import torch

        state = {f"weights/{name}": value for name, value in self.last_epoch.items()}
        for prefix, weights in (("mean", self.averaged), ("best", self.best_state)):
            state.update({f"{prefix}/{name}": value for name, value in (weights or {}).items()})
        for number, moments in self.optimizer.state_dict()["state"].items():
            state.update({f"moments/{number}/{name}": value for name, value in moments.items()})
        state["stopping"] = torch.tensor([self.lowest_loss, float(self.stale_epochs)], dtype=torch.float64)
        return state

    def resume(self, checkpoint: CheckpointStore | None) -> int:
        """Go on from a checkpoint; the number of epochs that are done."""
        saved = checkpoint.read(self.job.phase) if checkpoint is not None else None
        if saved is None:
            return 0
        self.done, state = saved
        self.tail.load(_with_prefix(state, "weights/"))
        self.last_epoch = self.tail.state()
        self.averaged = _with_prefix(state, "mean/") or None
        self.best_state = _with_prefix(state, "best/") or None
        self.lowest_loss, self.stale_epochs = float(state["stopping"][0]), int(state["stopping"][1])
        optimizer_state = self.optimizer.state_dict()
        optimizer_state["state"] = _nest_moments(_with_prefix(state, "moments/"))
        self.optimizer.load_state_dict(optimizer_state)
        return self.done


def _is_moving_norm(module: Any, tail: Tail, norms: set[str]) -> bool:
    """Whether a module is one of the batch norms whose statistics move."""
    mean = getattr(module, "running_mean", None)
    return mean is not None and any(mean is tail.statistics.get(f"{name}.running_mean") for name in norms)


def _with_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _nest_moments(flat: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """AdamW's moments by parameter number and name, from the names NUMBER/NAME."""
    nested: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        number, _, moment = name.partition("/")
        nested.setdefault(int(number), {})[moment] = value
    return nested


def _groups(tail: Tail, config: TrainingConfig) -> Iterator[dict[str, Any]]:
    """A group for each learning rate and decay; only matrices and kernels decay."""
    members: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in tail.parameters.items():
        decay = config.recipe.weight_decay if parameter.ndim > 1 else 0.0
        members.setdefault((tail.rates[name], decay), []).append(parameter)
    for (rate, decay), parameters in members.items():
        yield {"params": parameters, "lr": rate, "weight_decay": decay}


def score_rows(tail: Tail, source: BatchSource, rows: Ints, moving_norms: set[Any]) -> Floats:
    """The tail's scores (len(rows), K) of the clean views of rows, in evaluation mode and full precision."""
    import torch

    set_mode(tail.module, moving_norms, training=False)
    pieces = np.array_split(rows, max(1, math.ceil(len(rows) / _EVALUATION_BATCH)))
    order = [(piece, np.zeros(len(piece), np.int64)) for piece in pieces]
    with torch.inference_mode():
        scores = [tail.module(x).float().cpu().numpy() for x in source.batches(order)]
    return np.concatenate(scores).astype(np.float32)


def mean_loss(scores: Floats, labels: Ints) -> float:
    """The mean log-loss of scores (n, K): log Σ_k exp(s_k) - s_y, about the largest score so that nothing overflows."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())
