"""What a saved model keeps of the evidence that guarantees are made from, and what its manifest says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart.trust.evidence import GuaranteeRequest, TrustRecord
from headstart.trust.novelty.fit import FittedNovelty

TRUST_FILE = "trust.safetensors"


@dataclass(frozen=True, eq=False)
class TrustFit:
    """The evidence, with how it came about.

    record: for the bundle. weights: of the backbones that it is about. rows: out-of-fold predictions there were; the
    record may hold fewer. novelty: what was measured of it, None where it is not watched. notes: for the user.
    """

    record: TrustRecord
    weights: tuple[str, ...]
    rows: int
    novelty: FittedNovelty | None
    notes: tuple[str, ...]

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """What the manifest says of it."""
        record, fit = self.record, self.novelty
        novelty = None if fit is None else {**fit.to_dict(), "sentences": list(fit.sentences())}
        return {
            "file": TRUST_FILE,
            "answers": self.rows,
            "kept": len(record.out_of_fold),
            "held_out": 0 if record.held_out is None else len(record.held_out),
            "novelty": novelty,
            "watched": 0 if record.watched is None else len(record.watched.rows),
            "promise": None if record.asked is None else _guarantee(record, record.asked, classes),
        }


def _guarantee(record: TrustRecord, asked: GuaranteeRequest, classes: Sequence[str]) -> dict[str, Any]:
    return {"confidence": asked.confidence, **record.triage(asked, classes).to_dict()}
