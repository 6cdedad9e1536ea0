"""What a learning curve says, in words: the data, what pretraining is worth, what is forecast.

Words only; `verbs.curve.curve` measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart import checks
from headstart.verbs.curve.from_scratch import SCRATCH

if TYPE_CHECKING:
    from headstart.choose.curves.fit import CurvePoint
    from headstart.metrics.intervals import Estimate
    from headstart.verbs.curve.series import Series

_SHOWN = 12


def data_words(counts: Mapping[str, int]) -> str:
    """How many images there are, and of which classes. counts: class → images."""
    listed = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:_SHOWN])
    more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return f"{checks.quantity(sum(counts.values()), 'image')} of {len(counts)} classes ({listed}{more})"


def worth(series: Sequence[Series]) -> str:
    """How few labels pretrained features need for what random ones reach with all of them; '' where there are none.

    series: the pretrained features first.
    """
    return "; ".join(_worth_against(series[0].measured, other) for other in series[1:])


def _worth_against(first: CurvePoint, other: Series) -> str:
    accuracy, last = float(other.measured.accuracy[-1]), other.measured.sizes[-1]
    scratch = other.name == SCRATCH
    what = "a network from scratch" if scratch else f"{other.name} features of the same networks"
    enough = np.flatnonzero(first.accuracy >= accuracy)
    if not len(enough):
        return f"{what} with {last:,.0f} labels per class: {100 * accuracy:.1f} %, above all that was measured here"
    size, verb = first.sizes[enough[0]], "does" if scratch else "do"
    return f"{size:,.0f} labels per class do what {what} {verb} with {last:,.0f} ({100 * accuracy:.1f} %)"


def forecast_words(ahead: Mapping[int, Estimate]) -> str:
    """The accuracies forecast, with their band. ahead: labels per class → accuracy; not empty."""
    parts = [f"{accuracy} with {size:,} labels per class" for size, accuracy in ahead.items()]
    return f"{', '.join(parts)} ({100 * next(iter(ahead.values())).confidence:.0f} % band)"
