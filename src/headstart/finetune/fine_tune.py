"""One fine-tune as a candidate of the comparison: scored out of fold like a head, fitted like a head.

`FineTune.path_scores` trains a model for each fold and L2-SP weight and scores the held-out rows, for every mixture of
initial and final weights (WiSE-FT); `FineTune.fit` trains on all rows and returns the tensors that changed with the new
head. The frozen stages run once for all folds. Needs torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart._version import __version__
from headstart.data.splits import assign_folds as inner_folds
from headstart.device import Device, keep_freed_memory, threads
from headstart.errors import DataError
from headstart.finetune import lora, precision
from headstart.finetune.batches import BatchSource, open_batches
from headstart.finetune.checkpoint import Checkpoint, default_folder
from headstart.finetune.fold_batchnorm import FoldablePair, foldable_pairs, folded_batchnorm
from headstart.finetune.freeze_plan import FreezePlan, make_freeze_plan
from headstart.finetune.head_init import HeadInit, initialise_head
from headstart.finetune.loop import TrainingJob, score_rows, train_tail
from headstart.finetune.recipe import Recipe, TrainingConfig, settle_recipe
from headstart.finetune.strategies import Strategy
from headstart.finetune.tail import HEAD, Tail, build_tail, linear_form_of, torch_head
from headstart.heads.base import PathScores, iterate_folds
from headstart.heads.forms.linear import Linear
from headstart.progress import Advance, bar
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from torch import Tensor, nn

    from headstart.backbones.conversion.stages import Stages
    from headstart.backbones.graph import Backbone

MIXTURES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the final weights in mixtures with the initial ones, which by themselves are the linear probe."""
_INNER = 6
"""Folds of the training rows, one of which decides when to stop."""

State = dict[str, "Tensor"]


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """A fitted fine-tune.

    changes: arrays by their name in the network's state dict. form: the new head, on the last tap. notes: for the user.
    """

    changes: dict[str, NDArray[Any]]
    form: Linear
    notes: tuple[str, ...]


@dataclass(eq=False)
class FineTune:
    """A strategy on a backbone, ready to be scored and fitted.

    backbone: the network. strategy: what trains in it. recipe: how. samples: the labelled images, in the order of the
    rows that are scored and fitted. device: where to train. seed: fixes everything random. cache: keep activations and
    checkpoints on disk. folds: how many `path_scores` will be asked for in all, where it is called for one after the
    other; None where all come at once.
    Raises, before any image is read, `OptionError` where the network cannot do what the strategy asks, and
    `MissingExtra` without torch (or peft for LoRA).
    """

    backbone: Backbone
    strategy: Strategy
    recipe: Recipe
    samples: Samples
    device: Device
    seed: int = 0
    cache: bool = True
    folds: int | None = None
    notes: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        from headstart.backbones.conversion.convert import build_network
        from headstart.backbones.conversion.families import cut_network

        if self.strategy.kind == "lora":
            lora.need_peft()
        self._stages: Stages = cut_network(build_network(self.backbone))
        self.plan: FreezePlan = make_freeze_plan(self.strategy, self._stages, self.backbone.name)
        self._sources: dict[int, BatchSource] = {}
        self._original: State | None = None
        self._pairs: list[FoldablePair] = []
        self._runs = 1
        self._stop_reasons: list[str] = []
        self._checkpoints: list[Checkpoint] = []

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """All that the scores depend on besides rows, labels and folds, for the cache of earlier runs."""
        import torch

        groups = None if self.samples.groups is None else fingerprint.hash_array(self.samples.groups)
        return {
            "strategy": self.strategy.name,
            "recipe": asdict(self.recipe),
            "weights": self.backbone.weights,
            "content": fingerprint.hash_parts(*self.samples.content),
            "groups": groups,
            "device": [self.device.kind, self.device.precision, threads()],
            "seed": self.seed,
            "torch": torch.__version__,
        }

    def path_scores(self, X: Floats, y: Ints, folds: Ints) -> PathScores:
        """Out-of-fold scores of every configuration.

        X: (n, d) the last layer's embeddings, for the head's initial weights. y: (n,) class numbers. folds: (repeats,
        n), the fold of each row.
        """
        configurations = self._configurations()
        scores = np.zeros((len(configurations), *folds.shape, len(self.samples.classes)), np.float32)
        parts = iterate_folds(folds)
        runs = [(l2sp, part) for l2sp in self.recipe.l2sp for part in parts]
        self._runs = (self.folds or len(parts)) * len(self.recipe.l2sp)
        try:
            with self._bar(len(runs), int(np.mean([part[2].sum() for part in parts]))) as advance:
                for l2sp, (repeat, _, train, held_out) in runs:
                    run = self._train_run(X, y, np.flatnonzero(train), l2sp, advance)
                    for number, configuration in enumerate(configurations):
                        if configuration.get("l2sp", l2sp) == l2sp:
                            run.tail.load(_interpolate(run, configuration.get("wise_ft", 1.0)))
                            rows, source = np.flatnonzero(held_out), self._batch_source(-1)
                            with folded_batchnorm(self._pairs):
                                scores[number, repeat, rows] = score_rows(run.tail, source, rows, run.moving_norms)
        finally:
            self.close()
        self._note_stops(len(runs))
        self.notes.insert(0, f"{self.strategy.name}: {'; '.join(self._config(int(parts[0][2].sum())).reasons)}.")
        for checkpoint in self._checkpoints:
            checkpoint.remove()
        return PathScores(tuple(configurations), scores)

    def fit(self, X: Floats, y: Ints, configuration: Mapping[str, Any]) -> FineTuneResult:
        """Train on all rows with a configuration that `path_scores` scored."""
        try:
            with self._bar(1, len(y)) as advance:
                l2sp = float(configuration.get("l2sp", self.recipe.l2sp[0]))
                run = self._train_run(X, y, np.arange(len(y)), l2sp, advance)
        finally:
            self.close()
        self._note_stops(1)
        weights = _interpolate(run, float(configuration.get("wise_ft", 1.0)))
        arrays = {name: value.cpu().numpy() for name, value in weights.items()}
        form = linear_form_of(run.head_init, arrays.pop(f"{HEAD}weight"), arrays.pop(f"{HEAD}bias"))
        return FineTuneResult(arrays, form, tuple(dict.fromkeys(self.notes)))

    def close(self) -> None:
        """Close files and end threads."""
        for source in self._sources.values():
            source.close()
        self._sources.clear()

    def _note_stops(self, runs: int) -> None:
        """One note for all runs that stopped before their last epoch."""
        if self._stop_reasons:
            where = f"{len(self._stop_reasons)} of {runs} runs: " if runs > 1 else ""
            self.notes.append(f"{self.strategy.name}: {where}{self._stop_reasons[0]}.")
        self._stop_reasons.clear()

    def _configurations(self) -> list[dict[str, float]]:
        """Every configuration that is scored, the plain one first."""
        # A mixture with a head of zeros would only shrink the scores; WiSE-FT is between two models that predict.
        mix = self.recipe.interpolate and self._config(10**6).head_init == "probe"
        mixtures = [{"wise_ft": share} for share in MIXTURES] if mix else [{}]
        penalties = [{"l2sp": l2sp} for l2sp in self.recipe.l2sp] if self.recipe.l2sp != (0.0,) else [{}]
        return [{**penalty, **mixture} for penalty, mixture in itertools.product(penalties, mixtures)]

    def _config(self, images: int) -> TrainingConfig:
        return settle_recipe(self.recipe, self.strategy, images)

    def _bar(self, runs: int, images: int) -> Any:
        epochs = self._config(images).epochs * len(self.plan.phases) * runs
        return bar(f"fine-tuning {self.strategy.name}", epochs, unit="epochs")

    # one run ---------------------------------------------------------------------------------------------------------

    def _train_run(self, X: Floats, y: Ints, rows: Ints, l2sp: float, advance: Advance) -> _Run:
        """Train on `rows`, phase by phase, from the initial weights or from where a killed run was."""
        config = self._config(len(rows))
        head_init = initialise_head(X[rows], y[rows], config, len(self.samples.classes))
        head = torch_head(head_init).to(self.device.kind)
        self._restore()
        phases = self.plan.phases
        initial = self._tail(-1, head_init, head, config).state()
        checkpoint = self._open_checkpoint(y, rows, l2sp, config) if self.cache else None
        reached = checkpoint.past() if checkpoint is not None else None
        if reached is not None and reached[0] == len(phases):
            advance(config.epochs * len(phases))
            return self._finished_run(head_init, head, config, initial, reached[1])
        if self.strategy.kind == "lora":
            lora.adapt(self._stages.network, self.plan.trained, self.recipe.rank)
        for number in range(reached[0] if reached is not None else 0, len(phases)):
            job = self._job(number, y, rows, l2sp, initial)
            tail = self._tail(number, head_init, head, config)
            with folded_batchnorm(self._pairs):
                job = self._with_precision(job, tail, config)
                if stop_reason := train_tail(tail, job, config, checkpoint, advance):
                    self._stop_reasons.append(stop_reason)
        if self.strategy.kind == "lora":
            lora.merge(self._stages.network)
        final = self._tail(-1, head_init, head, config).state()
        if checkpoint is not None:
            checkpoint.put(len(phases), 0, final)
        return self._finished_run(head_init, head, config, initial, final)

    def _finished_run(
        self, head_init: HeadInit, head: nn.Module, config: TrainingConfig, initial: State, final: State
    ) -> _Run:
        tail = self._tail(-1, head_init, head, config)
        moving_norms = {m for m in tail.module.modules() if hasattr(m, "running_mean") and tail.statistics}
        return _Run(tail, head_init, initial, final, moving_norms)

    def _job(self, number: int, y: Ints, rows: Ints, l2sp: float, anchor: State) -> TrainingJob:
        inner = self._inner_rows(y, rows)
        return TrainingJob(
            source=self._batch_source(number),
            labels=y,
            train=rows if inner is None else np.setdiff1d(rows, inner),
            inner=inner,
            classes=len(self.samples.classes),
            seed=self.seed,
            phase=number,
            l2sp=l2sp,
            # The head has no pretrained weights to stay near (Li et al. 2018).
            anchor={name: value for name, value in anchor.items() if not name.startswith(HEAD)} if l2sp else {},
            autocast=precision.autocast("f32", self.device.kind),
        )

    def _with_precision(self, job: TrainingJob, tail: Tail, config: TrainingConfig) -> TrainingJob:
        if self.recipe.precision == "f32" or (self.recipe.precision == "auto" and self.device.precision != "bf16"):
            return job
        rows = job.train[: config.batch]
        sample = next(iter(job.source.batches([(rows, np.zeros(len(rows), np.int64))])))
        name = fingerprint.hash_parts(self.backbone.weights, self.strategy.name, job.phase, len(rows))
        choice = self.recipe.precision
        chosen, reason = precision.choose_precision(tail, sample, self.device, choice, name)
        if not any(": trains in" in note for note in self.notes):
            self.notes.append(f"{self.strategy.name}: trains in {chosen}, {reason}.")
        return replace(job, autocast=precision.autocast(chosen, self.device.kind))

    def _inner_rows(self, y: Ints, rows: Ints) -> Ints | None:
        """The rows by which training stops early; None where it does not, or where they are too few to be divided."""
        if not self._config(len(rows)).patience:
            return None
        groups = None if self.samples.groups is None else self.samples.groups[rows]
        try:
            fold = inner_folds(y[rows], groups, count=_INNER, seed=self.seed)[0]
        except DataError:
            return None
        inner: Ints = rows[fold == 0]
        return inner

    def _tail(self, number: int, head_init: HeadInit, head: nn.Module, config: TrainingConfig) -> Tail:
        return build_tail(self._stages, self.plan.phases[number], head_init, head, config)

    def _restore(self) -> None:
        """Give the network the weights with which every run starts."""
        import torch

        network = self._stages.network
        if self._original is None:
            keep_freed_memory()
            torch.set_num_threads(threads())
            if self.strategy.kind == "scratch":
                network.load_state_dict(self._random_weights())
            self._original = {name: value.clone() for name, value in network.state_dict().items()}
            self._pairs = foldable_pairs(self._stages, self.backbone.spec.size)
            network.to(self.device.kind, memory_format=torch.channels_last)
        network.load_state_dict(self._original)

    def _random_weights(self) -> State:
        """Fresh weights for the architecture, the same for the same seed."""
        import torch

        from headstart.backbones.conversion.networks import build_architecture

        facts: Mapping[str, Any] = self.backbone.facts
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = build_architecture(facts["library"], facts["architecture"], facts["arguments"])
        return dict(network.state_dict())

    def _batch_source(self, number: int) -> BatchSource:
        boundary = self.plan.phases[number].boundary
        if boundary not in self._sources:
            config = self._config(len(self.samples))
            source = open_batches(
                self.samples,
                self._stages.blocks(),
                boundary,
                self.backbone.spec,
                device=self.device,
                augment=config.augment,
                seed=self.seed,
                views=config.views,
                epochs=config.epochs * self._runs,
                cache=self.cache,
            )
            self._sources[boundary] = source
            self.notes.append(f"{self.strategy.name}: {source.reason}")
        return self._sources[boundary]

    def _open_checkpoint(self, y: Ints, rows: Ints, l2sp: float, config: TrainingConfig) -> Checkpoint:
        facts = (self.get_params(), l2sp, fingerprint.hash_array(y), fingerprint.hash_array(rows), __version__)
        checkpoint = Checkpoint(default_folder(), fingerprint.hash_parts(*facts))
        self._checkpoints.append(checkpoint)
        return checkpoint


@dataclass(frozen=True, eq=False)
class _Run:
    """A finished run.

    tail: to score with. initial, final: what trained, before and after. moving_norms: modules whose statistics move.
    """

    tail: Tail
    head_init: HeadInit
    initial: State
    final: State
    moving_norms: set[Any]


def _interpolate(run: _Run, share: float) -> State:
    """The weights between initial and final: (1 - share) initial + share final (Wortsman et al. 2022, eq. 1)."""
    if share == 1.0:
        return run.final
    return {name: run.initial[name].lerp(value, share) for name, value in run.final.items()}
