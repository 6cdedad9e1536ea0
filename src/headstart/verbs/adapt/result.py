"""What a comparison of two domains says, as a record: different or not, where, what it costs, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headstart.adaptation.choice import ADAPTED, SAME_DOMAIN, Choice
from headstart.metrics.intervals import Estimate
from headstart.records.samples import Failure


@dataclass(frozen=True, eq=False)
class Shift:
    """A labelled source and a target, compared.

    Attributes
    ----------
    choice : Choice
        What to do, and the signs that say so.
    layers : mapping
        Layer → how well it tells the domains apart (balanced accuracy, out of fold), the earliest first.
    shares : mapping
        Class → its share of the source, and the one estimated of the target (BBSE on standardised answers).
    source : Estimate
        The accuracy on the source, out of fold.
    before, after : Estimate
        The accuracy to expect on the target: of the source's head, and adapted; `after` is None where nothing was
        adapted.
    measured : tuple of Estimate, optional
        The accuracy on labelled target images, before and after, each by a fit that had not seen it.
    label_first : tuple of str
        Images whose labels would teach most.
    images : int
        Images of the target that were looked at.
    labelled : int
        How many of them have labels.
    failures : tuple of Failure
        Images of the target that could not be read.
    notes : tuple of str
        Sentences for the user.
    seconds : float
        What comparing took, after embedding.
    sources : mapping
        Of several source domains each one's name, and how well it is told from the target, the nearest first.
    """

    choice: Choice
    layers: Mapping[str, Estimate]
    shares: Mapping[str, tuple[float, float]]
    source: Estimate
    before: Estimate
    after: Estimate | None
    measured: tuple[Estimate, Estimate] | None
    label_first: tuple[str, ...]
    images: int
    labelled: int
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    seconds: float
    sources: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def shifted(self) -> bool:
        """Whether the domains differ."""
        return self.choice.verdict != SAME_DOMAIN

    @property
    def adapts(self) -> bool:
        """Whether adapting is advised (or was done)."""
        return self.choice.verdict == ADAPTED

    def to_dict(self) -> dict[str, Any]:
        """What was found, as JSON-able values."""
        choice = self.choice
        return {
            "verdict": choice.verdict,
            "domain_accuracy": choice.distance.accuracy.to_dict(),
            "proxy_a_distance": choice.distance.distance,
            "layers": {name: estimate.to_dict() for name, estimate in self.layers.items()},
            "sources": {name: estimate.to_dict() for name, estimate in self.sources.items()},
            "shares": {name: {"source": old, "target": new} for name, (old, new) in self.shares.items()},
            "source_accuracy": self.source.to_dict(),
            "expected_before": self.before.to_dict(),
            "expected_after": None if self.after is None else self.after.to_dict(),
            "measured": None if self.measured is None else [estimate.to_dict() for estimate in self.measured],
            "agreement": choice.agreement,
            "harmony": choice.harmony,
            "neighbours_agree": None if choice.before is None else [choice.before, choice.after],
            "way_back": None if choice.back is None else list(choice.back),
            "label_first": list(self.label_first),
            "images": self.images,
            "labelled": self.labelled,
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
        }
