"""What a saved model keeps of the evidence that guarantees are made from, and what its manifest says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart.trust.evidence import TrustEvidence
from headstart.trust.novelty.fit import FittedNovelty

TRUST_FILE = "trust.safetensors"


@dataclass(frozen=True, eq=False)
class TrustFit:
    """The evidence, with how it came about.

    record: for the bundle. weights: of the backbones that it is about. rows: out-of-fold predictions there were; the
    record may hold fewer. novelty: what was measured of it, None where it is not watched. notes: for the user.
    """

    record: TrustEvidence
    weights: tuple[str, ...]
    rows: int
    novelty: FittedNovelty | None
    notes: tuple[str, ...]

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """What the manifest says of it."""
        record, fit, request = self.record, self.novelty, self.record.default_guarantee
        guarantee = None
        if request is not None:
            guarantee = {"confidence": request.confidence, **record.triage(request, classes).to_dict()}
        novelty = None if fit is None else {**fit.to_dict(), "sentences": list(fit.sentences())}
        return {
            "file": TRUST_FILE,
            "predictions": self.rows,
            "stored": len(record.out_of_fold),
            "held_out": 0 if record.held_out is None else len(record.held_out),
            "novelty": novelty,
            "watched": 0 if record.reference_sample is None else len(record.reference_sample.rows),
            "guarantee": guarantee,
        }
