"""The strategies that train inside a backbone, by the names that the field gives them.

`parse_strategy` turns a word such as `last-2` into a `Strategy` or says what is wrong with it. It knows no network:
`freeze_plan.make_freeze_plan` says what a strategy means for one.

    last-K            the last K stages           surgical-first, -middle, -last   one stage alone (Lee et al. 2023)
    last-K-blocks     the last K blocks           surgical:STAGE                   that stage alone
    last-K-layers     the last K layers           norm-only                        the normalisation layers
    gradual           head, top stage, top two…   bias-only                        the biases (BitFit)
    full, lp-ft       everything                  lora                             low-rank adapters (through peft)
    scratch           everything, random start
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headstart.checks import suggest
from headstart.errors import OptionError

NAMES = (
    *("last-1", "last-2", "gradual", "full", "lp-ft"),
    *("surgical-first", "surgical-middle", "surgical-last"),
    *("norm-only", "bias-only", "lora", "scratch"),
)
_LAST = re.compile(r"last-(\d{1,6})(?:-(block|layer)s?)?")


@dataclass(frozen=True)
class Strategy:
    """A way of training inside a backbone.

    name: as the user wrote it. kind: `stages`, `blocks`, `layers`, `gradual`, `full`, `surgical`, `norm`, `bias`,
    `lora` or `scratch`. count: of stages, blocks or layers. stage: of a surgical one: `first`, `middle`, `last` or a
    stage's name.
    """

    name: str
    kind: str
    count: int = 0
    stage: str = ""

    @property
    def whole(self) -> bool:
        """Whether the images themselves are what the trained part sees."""
        return self.kind in ("full", "scratch")


_PLAIN = {
    "gradual": Strategy("gradual", "gradual"),
    "full": Strategy("full", "full"),
    "lp-ft": Strategy("lp-ft", "full"),
    "norm-only": Strategy("norm-only", "norm"),
    "bias-only": Strategy("bias-only", "bias"),
    "lora": Strategy("lora", "lora"),
    "scratch": Strategy("scratch", "scratch"),
}


def parse_strategy(word: str, names: Sequence[str] = ()) -> Strategy:
    """The strategy that a word names; raises `OptionError` with the nearest right spellings.

    names: further words that would have been right here, for the message.

    >>> parse_strategy("last-2")
    Strategy(name='last-2', kind='stages', count=2, stage='')
    """
    if word in _PLAIN:
        return _PLAIN[word]
    if match := _LAST.fullmatch(word):
        count = int(match[1])
        if count == 0:
            raise OptionError(
                f"strategy {word!r} trains nothing: name at least last-1, or 'probe' for a frozen network."
            )
        return Strategy(word, f"{match[2] or 'stage'}s", count)
    if word.startswith("surgical:") and len(word) > len("surgical:"):
        return Strategy(word, "surgical", stage=word.partition(":")[2])
    if word in NAMES:
        return Strategy(word, "surgical", stage=word.partition("-")[2])
    near = suggest(word, [*NAMES, *names])
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose from {', '.join([*names, *NAMES])}."
    raise OptionError(f"strategy {word!r} is not known: {hint}")


def is_fine_tune(word: str) -> bool:
    """Whether a word names a strategy of this room.

    >>> is_fine_tune("last-3"), is_fine_tune("probe")
    (True, False)
    """
    return word in NAMES or bool(_LAST.fullmatch(word)) or word.startswith("surgical:")
