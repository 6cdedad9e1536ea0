"""Where a torch network can be cut: an ordered list of stages that, one after the other, are the network.

`cut(network)` gives `Stages`: `prefix(k)` runs the first k stages, `tail(k)` the rest, and tail after prefix equals the
whole in evaluation mode, whatever k. What flows between two stages is one tensor. The stages share the network's
modules and parameters, so training a tail trains the network. Stage by stage the network also gives its taps.

The families are listed in `families.py`; another network is refused with their names. Needs torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from headstart.checks import between

if TYPE_CHECKING:
    from torch import Tensor, nn

Layout = Literal["map", "tokens", "vector", "logits"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A piece of a network.

    name: the module it ends with, as the network calls it. forward: the piece. layout: what it returns: `map`
    (N, channels, rows, columns), `tokens` (N, prefix + rows * columns, channels), `vector` (N, width: the embedding)
    or `logits` (N, classes).
    """

    name: str
    forward: nn.Module
    layout: Layout = "map"


@dataclass(frozen=True, eq=False)
class Stages:
    """A network as stages, in order; the one before the embedding's carries the last tap.

    prefix_tokens: how many tokens before the patches' (class token, registers). grid: rows and columns of patches; both
    only matter for networks of tokens.
    """

    network: nn.Module
    stages: tuple[Stage, ...]
    prefix_tokens: int = 0
    grid: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.stages)

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def body(self) -> tuple[Stage, ...]:
        """The stages that can be tapped: all before the embedding."""
        return tuple(stage for stage in self.stages if stage.layout in ("map", "tokens"))

    def blocks(self) -> Stages:
        """The same network cut more finely: a numbered stage that is a chain of blocks becomes those blocks."""
        return replace(self, stages=tuple(block for stage in self.stages for block in _blocks(stage)))

    def prefix(self, count: int) -> nn.Module:
        """The first `count` stages as one module; with 0, the identity."""
        return self._join(count, self.stages[:count])

    def tail(self, count: int) -> nn.Module:
        """What follows the first `count` stages as one module; with all of them, the identity."""
        return self._join(count, self.stages[count:])

    def _join(self, count: int, stages: Sequence[Stage]) -> nn.Module:
        from torch import nn

        between("number of stages", count, 0, len(self.stages))
        return nn.Sequential(*(stage.forward for stage in stages))

    def spatial(self, stage: Stage, output: Tensor) -> Tensor:
        """A tapped stage's output as a map (N, channels, rows, columns)."""
        if stage.layout == "map":
            return output
        patches = output[:, self.prefix_tokens :].transpose(1, 2)
        return patches.reshape(-1, output.shape[2], *self.grid)

    def taps(self, image: Tensor) -> dict[str, Tensor]:
        """All taps of a normalised batch (N, 3, rows, columns).

        `<stage>.pooled` is the mean over positions, for the last tapped stage the network's own embedding;
        `<stage>.spatial` the map; `logits` comes with the original head.
        """
        activations: dict[str, Tensor] = {}
        x, tapped = image, ""
        for stage in self.stages:
            x = stage.forward(x)
            if stage.layout in ("map", "tokens"):
                tapped = stage.name
                activations[f"{tapped}.spatial"] = self.spatial(stage, x)
                activations[f"{tapped}.pooled"] = activations[f"{tapped}.spatial"].mean((2, 3))
            elif stage.layout == "vector":
                activations[f"{tapped}.pooled"] = x
            else:
                activations[stage.layout] = x
        return activations


def _blocks(stage: Stage) -> list[Stage]:
    from torch import nn

    if not isinstance(stage.forward, nn.Sequential) or not stage.name[-1].isdigit():
        return [stage]
    return [Stage(f"{stage.name}.{i}", block, stage.layout) for i, block in enumerate(stage.forward)]


def piece(run: Callable[[Any], Any], **parts: Any) -> nn.Module:
    """A module that computes `run(x)` and owns the modules and parameters in `parts` (None is passed over).

    Owning them lets a stage be moved, frozen and counted by itself, without the rest of its network.
    """
    module: nn.Module = _piece_class()(run, parts)
    return module


@functools.cache
def _piece_class() -> type:
    from torch import nn

    class Piece(nn.Module):  # type: ignore[misc, unused-ignore]
        """A module that runs a function and owns the parts that it uses."""

        def __init__(self, run: Callable[[Any], Any], parts: Mapping[str, Any]) -> None:
            super().__init__()
            self.run = run.forward if isinstance(run, nn.Module) else run  # not owned: only `parts` are
            for name, part in parts.items():
                if isinstance(part, nn.Parameter):
                    self.register_parameter(name, part)
                elif isinstance(part, nn.Module):
                    self.add_module(name, part)

        def forward(self, x: Any) -> Any:
            """What the function makes of `x`."""
            return self.run(x)

    return Piece
