"""One fine-tune as a candidate of the comparison: scored out of fold like a head, fitted like a head.

`FineTune.path_scores` trains a model for each fold and scores the rows that it has not seen, for every mixture of start
and end (WiSE-FT) and every strength of L2-SP; `FineTune.fit` trains on all rows and returns the tensors that changed
with the new head. The frozen part runs once for all folds. Needs torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
from headstart.finetune.loop import Work, score_rows, train_tail
from headstart.finetune.recipe import Recipe, Settings, settle_recipe
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
"""Shares of the end in mixtures of start and end; the start itself is the linear probe, a candidate of its own."""
_INNER = 6
"""A sixth of the training rows decides when to stop."""

State = dict[str, "Tensor"]


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """A fitted fine-tune. changes: arrays by their name in the network's state dict. form: the new head, on the last
    tap. notes: for the user."""

    changes: dict[str, NDArray[Any]]
    form: Linear
    notes: tuple[str, ...]


@dataclass(eq=False)
class FineTune:
    """A strategy on a backbone, ready to be scored and fitted.

    Raises `OptionError` where the network cannot do what the strategy asks, `MissingExtra` without torch (or peft for
    LoRA): before any image is touched. samples: the labelled images, in the order of the rows that are scored and
    fitted. cache: keep activations and checkpoints on disk. folds: how many `path_scores` will be asked for in all,
    where it is called for one after the other; None where all come at once.
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
        self._feeds: dict[int, BatchSource] = {}
        self._original: State | None = None
        self._pairs: list[FoldablePair] = []
        self._runs = 1
        self._stopped: list[str] = []
        self._keepers: list[Checkpoint] = []

    def get_params(self, deep: bool = False) -> dict[str, Any]:
        """All that the scores depend on besides rows, labels and folds, for the memory of earlier runs."""
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
        """Out-of-fold scores of every setting. X: (n, d) the last layer's embeddings, for the head's start."""
        settings = self._settings()
        found = np.zeros((len(settings), *folds.shape, len(self.samples.classes)), np.float32)
        parts = iterate_folds(folds)
        runs = [(pull, part) for pull in self.recipe.l2sp for part in parts]
        self._runs = (self.folds or len(parts)) * len(self.recipe.l2sp)
        try:
            with self._bar(len(runs), int(np.mean([part[2].sum() for part in parts]))) as advance:
                for pull, (repeat, _, trained, held) in runs:
                    run = self._trained(X, y, np.flatnonzero(trained), pull, advance)
                    for number, setting in enumerate(settings):
                        if setting.get("l2sp", pull) == pull:
                            run.tail.load(_mixed(run, setting.get("wise_ft", 1.0)))
                            rows, feed = np.flatnonzero(held), self._feed(-1)
                            with folded_batchnorm(self._pairs):
                                found[number, repeat, rows] = score_rows(run.tail, feed, rows, run.moving)
        finally:
            self.close()
        self._sum_up(len(runs))
        self._explain(int(parts[0][2].sum()))
        for keeper in self._keepers:
            keeper.remove()
        return PathScores(tuple(settings), found)

    def fit(self, X: Floats, y: Ints, setting: Mapping[str, Any]) -> FineTuneResult:
        """Train on all rows with a setting that `path_scores` tried."""
        try:
            with self._bar(1, len(y)) as advance:
                pull = float(setting.get("l2sp", self.recipe.l2sp[0]))
                run = self._trained(X, y, np.arange(len(y)), pull, advance)
        finally:
            self.close()
        self._sum_up(1)
        mixed = {n: v.cpu().numpy() for n, v in _mixed(run, float(setting.get("wise_ft", 1.0))).items()}
        form = linear_form_of(run.begin, mixed.pop(f"{HEAD}weight"), mixed.pop(f"{HEAD}bias"))
        return FineTuneResult(mixed, form, tuple(dict.fromkeys(self.notes)))

    def close(self) -> None:
        """Let go of files and threads."""
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()

    def _sum_up(self, runs: int) -> None:
        """One note for all runs that stopped before their last epoch."""
        if self._stopped:
            where = f"{len(self._stopped)} of {runs} runs: " if runs > 1 else ""
            self.notes.append(f"{self.strategy.name}: {where}{self._stopped[0]}.")
        self._stopped.clear()

    def _explain(self, images: int) -> None:
        """A note on what the data decided."""
        self.notes.insert(0, f"{self.strategy.name}: {'; '.join(self._settled(images).reasons)}.")

    def _settings(self) -> list[dict[str, float]]:
        """Every setting that is scored, the plain one first."""
        mix = self.recipe.interpolate and self._settled(10**6).start == "probe"
        mixtures = [{"wise_ft": share} for share in MIXTURES] if mix else [{}]
        pulls = [{"l2sp": pull} for pull in self.recipe.l2sp] if self.recipe.l2sp != (0.0,) else [{}]
        return [{**pull, **share} for pull, share in itertools.product(pulls, mixtures)]

    def _settled(self, images: int) -> Settings:
        return settle_recipe(self.recipe, self.strategy, images)

    def _bar(self, runs: int, images: int) -> Any:
        epochs = self._settled(images).epochs * len(self.plan.phases) * runs
        return bar(f"fine-tuning {self.strategy.name}", epochs, unit="epochs")

    # one run ---------------------------------------------------------------------------------------------------------

    def _trained(self, X: Floats, y: Ints, rows: Ints, pull: float, advance: Advance) -> _Ended:
        """Train on `rows`, phase by phase, from the start or from where a killed run was."""
        settings = self._settled(len(rows))
        begin = initialise_head(X[rows], y[rows], settings, len(self.samples.classes))
        head = torch_head(begin).to(self.device.kind)
        self._restore(begin)
        phases = self.plan.phases
        first = self._tail(-1, begin, head, settings).state()
        keeper = self._keeper(y, rows, pull, settings) if self.cache else None
        reached = keeper.past() if keeper is not None else None
        if reached is not None and reached[0] == len(phases):
            advance(settings.epochs * len(phases))
            return self._ended(begin, head, settings, first, reached[1])
        if self.strategy.kind == "lora":
            lora.adapt(self._stages.network, self.plan.trained, self.recipe.rank)
        for number in range(reached[0] if reached is not None else 0, len(phases)):
            work = self._work(number, y, rows, pull, first)
            grown = self._tail(number, begin, head, settings)
            with folded_batchnorm(self._pairs):
                work = self._with_precision(work, grown, settings)
                if said := train_tail(grown, work, settings, keeper, advance):
                    self._stopped.append(said)
        if self.strategy.kind == "lora":
            lora.merge(self._stages.network)
        last = self._tail(-1, begin, head, settings).state()
        if keeper is not None:
            keeper.put(len(phases), 0, last)
        return self._ended(begin, head, settings, first, last)

    def _ended(self, begin: HeadInit, head: nn.Module, settings: Settings, first: State, last: State) -> _Ended:
        made = self._tail(-1, begin, head, settings)
        moving = {m for m in made.module.modules() if hasattr(m, "running_mean") and made.statistics}
        return _Ended(made, begin, first, last, moving)

    def _work(self, number: int, y: Ints, rows: Ints, pull: float, anchor: State) -> Work:
        inner = self._inner(y, rows)
        trained = rows if inner is None else np.setdiff1d(rows, inner)
        kept = {name: value for name, value in anchor.items() if not name.startswith(HEAD)} if pull else {}
        context = precision.autocast("f32", self.device.kind)
        return Work(
            self._feed(number), y, trained, inner, len(self.samples.classes), self.seed, number, pull, kept, context
        )

    def _with_precision(self, work: Work, grown: Tail, settings: Settings) -> Work:
        from dataclasses import replace

        if self.recipe.precision == "f32" or (self.recipe.precision == "auto" and self.device.precision != "bf16"):
            return work
        rows = work.train[: settings.batch]
        sample = next(iter(work.feed.batches([(rows, np.zeros(len(rows), np.int64))])))
        name = fingerprint.hash_parts(self.backbone.weights, self.strategy.name, work.phase, len(rows))
        asked = self.recipe.precision
        chosen, reason = precision.choose_precision(grown, sample, self.device, asked, name)
        if not any(": trains in" in note for note in self.notes):
            self.notes.append(f"{self.strategy.name}: trains in {chosen}, {reason}.")
        return replace(work, autocast=precision.autocast(chosen, self.device.kind))

    def _inner(self, y: Ints, rows: Ints) -> Ints | None:
        """The rows by which training stops early; None where it does not, or where they are too few to part."""
        if not self._settled(len(rows)).patience:
            return None
        groups = None if self.samples.groups is None else self.samples.groups[rows]
        try:
            fold = inner_folds(y[rows], groups, count=_INNER, seed=self.seed)[0]
        except DataError:
            return None
        inner: Ints = rows[fold == 0]
        return inner

    def _tail(self, number: int, begin: HeadInit, head: nn.Module, settings: Settings) -> Tail:
        return build_tail(self._stages, self.plan.phases[number], begin, head, settings)

    def _restore(self, begin: HeadInit) -> None:
        """Put the network back to where every run starts."""
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
            made = build_architecture(facts["library"], facts["architecture"], facts["arguments"])
        return dict(made.state_dict())

    def _feed(self, number: int) -> BatchSource:
        boundary = self.plan.phases[number].boundary
        if boundary not in self._feeds:
            settings = self._settled(len(self.samples))
            feed = open_batches(
                self.samples,
                self._stages.blocks(),
                boundary,
                self.backbone.spec,
                device=self.device,
                augment=settings.augment,
                seed=self.seed,
                views=settings.views,
                epochs=settings.epochs * self._runs,
                cache=self.cache,
            )
            self._feeds[boundary] = feed
            self.notes.append(f"{self.strategy.name}: {feed.reason}")
        return self._feeds[boundary]

    def _keeper(self, y: Ints, rows: Ints, pull: float, settings: Settings) -> Checkpoint:
        facts = (self.get_params(), pull, fingerprint.hash_array(y), fingerprint.hash_array(rows), __version__)
        keeper = Checkpoint(default_folder(), fingerprint.hash_parts(*facts))
        self._keepers.append(keeper)
        return keeper


@dataclass(frozen=True, eq=False)
class _Ended:
    """A run: the tail to score with, the head's start, and what trained at the start and at the end."""

    tail: Tail
    begin: HeadInit
    first: State
    last: State
    moving: set[Any]


def _mixed(run: _Ended, share: float) -> State:
    """The weights between start and end: (1 - share) start + share end (Wortsman et al. 2022, eq. 1)."""
    if share == 1.0:
        return run.last
    return {name: run.first[name].lerp(value, share) for name, value in run.last.items()}
