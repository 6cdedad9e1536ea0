"""A trained model at work: images in, class probabilities out, without torch, timm or scikit-learn.

`Predictor.predict` runs the same decode, the same graphs and the same head arithmetic that the model was measured with,
in two halves: `features` and `answer`. `Predictor.decide` says which predictions need no person. It does not train,
calibrate or choose; what a guarantee needs is imported only when one is asked for. `model.load` makes a `Predictor` of
a saved folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import first_lines, join_words, printable, quantity
from headstart.device import FULL, choose_device
from headstart.embed.features import Part, embed_images, join_parts
from headstart.errors import DataError, OptionError
from headstart.records.arrays import Floats
from headstart.records.notebook import NotebookText
from headstart.records.predictions import Decisions, Predictions, Subsample
from headstart.records.run import Run
from headstart.records.samples import Failure, ImageSource
from headstart.trust.calibration.methods import Calibration

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.heads.forms.linear import Form
    from headstart.model.bundle import Bundle
    from headstart.trust.conformal import ConformalSets
    from headstart.trust.evidence import GuaranteeRequest, TrustEvidence
    from headstart.trust.shift.monitor import ShiftCheck
    from headstart.trust.triage.records import Triage


@dataclass(frozen=True, eq=False)
class Features:
    """What a model sees of n images.

    X: (n, d) what its head looks at. names: of these images. failures: images that could not be read, which are not
    among the n; their rows are positions among all that were given. layers: (n, m) what novelty looks at; None where it
    is part of X, or where novelty is not watched.
    """

    X: Floats
    names: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    layers: Floats | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Predictor(NotebookText):
    """A trained classifier, ready for new images; `headstart.load` makes one of a saved folder.

    Attributes
    ----------
    classes : tuple of K str
        What it can predict, in the order of the columns of probabilities.
    parts : tuple of Part
        Where its numbers come from: backbones and their taps. Novelty looks at taps of the first one.
    form : Form
        Its head, as arrays.
    calibration : Calibration
        Makes probabilities of the head's scores.
    manifest : mapping
        What is known of it, as saved.
    trust : TrustEvidence, optional
        What guarantees rest on, and what tells novel images; None for a model that holds neither.
    task : str
        What is predicted, a name of `tasks.catalog`.
    bundle : Bundle, optional
        The saved model that it was loaded from, checked; None for one that was not loaded.

    Examples
    --------
    ::

        model = headstart.load("model/")
        predictions = model.predict(["new.jpg"])
        predictions.labels, predictions.confidences
    """

    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    form: Form
    calibration: Calibration
    manifest: Mapping[str, Any] = field(repr=False, default_factory=dict)
    trust: TrustEvidence | None = field(repr=False, default=None)
    task: str = "classify"
    bundle: Bundle | None = field(repr=False, default=None)

    def __repr__(self) -> str:
        looks_at = " + ".join(f"{part.backbone.name} ({quantity(len(part.taps), 'layer')})" for part in self.parts)
        sure = "none" if self.trust is None or self.trust.default_guarantee is None else "trained with one"
        lines = [f"Predictor of {quantity(len(self.classes), 'class', 'classes')}: {join_words(self.classes)}"]
        lines += [f"looks at: {looks_at}", f"head: {self.form.kind}", f"guarantee: {sure}"]
        return first_lines("\n".join(map(printable, lines)))

    def predict(
        self,
        images: Iterable[ImageSource | str],
        *,
        names: Sequence[str] | None = None,
        device: Device | None = None,
        cache: bool = False,
    ) -> Predictions:
        """Class probabilities of images.

        Parameters
        ----------
        images : sequence of n images
            Paths, PIL images, or uint8 arrays of the shape (height, width) or (height, width, 1, 3 or 4).
        names : sequence of n str, optional
            What to call them in results and messages; default: their paths or positions.
        device : Device, optional
            Default: what this machine has, in float32, so that every machine predicts the same.
        cache : bool
            Take embeddings from the cache folder where they are there, and keep new ones in it.

        Returns
        -------
        Predictions
            Probabilities (n, K), labels, confidences and novelty, a row for every image, in order. One that cannot be
            read has no label, and its reason is in `failures`.

        Raises
        ------
        OptionError
            `images` is a single image, or there are not as many names as images.
        """
        return self.answer(self.features(images, names=names, device=device, cache=cache))

    def features(
        self,
        images: Iterable[ImageSource | str],
        *,
        names: Sequence[str] | None = None,
        device: Device | None = None,
        cache: bool = False,
    ) -> Features:
        """What the head and the novelty score look at: the first half of `predict`, with the same arguments."""
        spec, taps = self.parts[0].backbone.spec, self.novelty_taps
        sources = spec.items(images)
        names = list(names) if names is not None else [spec.name(item, i) for i, item in enumerate(sources)]
        if len(names) != len(sources):
            raise OptionError(f"names must be one for each of the {len(sources):,} images; found {len(names):,}.")
        run = Run(device=choose_device(precision=FULL) if device is None else device, cache=cache)
        tables = [
            embed_images(
                sources,
                names,
                part.backbone,
                run,
                taps=part.taps if i else tuple(dict.fromkeys((*part.taps, *taps))),
            )
            for i, part in enumerate(self.parts)
        ]
        joined = join_parts(tables, [part.taps for part in self.parts])
        layers = join_parts(tables[:1], [taps]).X[np.isin(tables[0].rows, joined.rows)] if taps else None
        return Features(joined.X, tuple(names[row] for row in joined.rows), joined.failures, layers)

    @property
    def novelty_taps(self) -> tuple[str, ...]:
        """The taps of the first part's backbone that novelty looks at; none where it is not watched."""
        return () if self.trust is None or self.trust.novelty is None else self.trust.novelty.taps

    def answer(self, features: Features) -> Predictions:
        """Class probabilities, novelty and what tells a shifted batch: the second half of `predict`."""
        X, novelty = features.X, None
        if self.trust is not None and self.trust.novelty is not None:
            layers = features.layers
            layers = X[:, self.parts[0].columns(self.novelty_taps)] if layers is None else layers
            novelty = self.trust.novelty.relative(layers) if len(X) else np.zeros(0)
        readable = Predictions(features.names, self.classes, self.probabilities(X), (), novelty, self._subsample(X))
        return with_failures(readable, features.failures)

    def _subsample(self, X: Floats) -> Subsample | None:
        """What is kept of a batch to compare it with the training images; None where that cannot be done."""
        if self.trust is None or self.trust.reference_sample is None:
            return None
        from headstart.trust.shift.monitor import subsample

        return subsample(X)

    def probabilities(self, X: Floats) -> Floats:
        """Class probabilities of embeddings (n, width), the parts' taps side by side."""
        if len(X) == 0:
            return np.zeros((0, len(self.classes)), np.float32)
        return self.calibration.apply(self.form.scores(X))

    def decide(
        self,
        images: Predictions | Iterable[ImageSource | str],
        *,
        max_error: float | None = None,
        confidence: float | None = None,
        per_class: bool | None = None,
        on_shift: str = "review",
        names: Sequence[str] | None = None,
        device: Device | None = None,
    ) -> Decisions:
        """Which predictions are accepted automatically, and why the others go to a person.

        Where nothing can be guaranteed everything goes to review; novel images do in any case.

        Parameters
        ----------
        images : sequence of n images, or Predictions
            Images as `predict` takes them, or its result.
        max_error, confidence, per_class : optional
            As for `triage`.
        on_shift : str
            What becomes of a batch that is not like the labelled images (tested from 30 on): 'review', or 'warn'.
        names, device : optional
            As for `predict`.

        Returns
        -------
        Decisions
            Accepted or not (n,), the reason for each review, and what is guaranteed.

        Raises
        ------
        OptionError
            No guarantee is asked for, or it is out of its range.
        DataError
            The model holds no evidence for a guarantee.
        """
        from headstart.trust.triage.decide import decide

        triage = self.triage(max_error, confidence=confidence, per_class=per_class)
        predictions = images if isinstance(images, Predictions) else self.predict(images, names=names, device=device)
        shift = self._shift(predictions) if triage.feasible else None
        return decide(predictions, triage, self._trusted().reference_counts(), shift, on_shift=on_shift)

    def _shift(self, predictions: Predictions) -> ShiftCheck | None:
        """How the batch compares with the training images; None where that cannot be measured."""
        reference = self._trusted().reference_sample
        if reference is None or predictions.subsample is None:
            return None
        from headstart.trust.shift.monitor import check_shift

        return check_shift(reference, predictions.subsample)

    def triage(
        self, max_error: float | None = None, *, confidence: float | None = None, per_class: bool | None = None
    ) -> Triage:
        """From which confidence on predictions are accepted, so that at most `max_error` of them are wrong.

        Parameters
        ----------
        max_error : float, optional
            The share of accepted predictions that may be wrong, 0.0001 to 0.5; default: as the model was trained.
        confidence : float, optional
            Of the guarantee, 0.8 to 0.9999; default: as the model was trained, else 0.95.
        per_class : bool, optional
            A threshold for each predicted class, and the guarantee for every one of them.

        Returns
        -------
        Triage
            The thresholds and the coverage. A guarantee that is not feasible is a result too: `feasible` is False, and
            `sentences()` say how many more labelled images would carry it.

        Raises
        ------
        OptionError
            Nothing is asked for, or it is out of its range.
        DataError
            The model holds no evidence.
        """
        return self._trusted().triage(self._asked(max_error, confidence, per_class), self.classes)

    def sets(self, level: float = 0.95, *, by_class: bool = False) -> ConformalSets:
        """Prediction sets that hold the true class in `level` of cases.

        Parameters
        ----------
        level : float
            The share of cases, between 0 and 1.
        by_class : bool
            In `level` of the cases of every class, not only of all together.

        Returns
        -------
        ConformalSets
            `.sets(predictions.probabilities)` is (n, K), True where the class is in the set.

        Raises
        ------
        DataError
            There are too few labelled images, or the model holds no evidence.

        References
        ----------
        Split conformal prediction: Angelopoulos and Bates 2021 (https://arxiv.org/abs/2107.07511).
        """
        return self._trusted().sets(level, self.classes, by_class=by_class)

    def _trusted(self) -> TrustEvidence:
        if self.trust is None:
            raise DataError(
                "this model holds no evidence for a guarantee (see its notes): train it again, or ask for no guarantee "
                "and no sets."
            )
        return self.trust

    def _asked(self, max_error: float | None, confidence: float | None, per_class: bool | None) -> GuaranteeRequest:

        stored = self._trusted().default_guarantee
        if max_error is None and stored is None:
            raise OptionError(
                "no guarantee is asked for, and the model was trained without one: say max_error=0.02, say."
            )
        from headstart.trust.evidence import GuaranteeRequest

        request = {"max_error": max_error, "confidence": confidence, "per_class": per_class}
        options = {name: value for name, value in request.items() if value is not None}
        return replace(stored, **options) if stored is not None else GuaranteeRequest(**options)  # type: ignore[arg-type]


def with_failures(readable: Predictions, failures: Sequence[Failure]) -> Predictions:
    """The predictions with a row more for each image that could not be read, where it was among those given."""
    if not failures:
        return readable
    failed = {failure.row: failure.name for failure in failures}
    total = len(readable) + len(failed)
    rows = np.setdiff1d(np.arange(total), list(failed))
    names = dict(zip(rows.tolist(), readable.names, strict=True)) | failed
    probabilities = np.full((total, len(readable.classes)), np.nan, readable.probabilities.dtype)
    probabilities[rows] = readable.probabilities
    novelty = None
    if readable.novelty is not None:
        novelty = np.full(total, np.nan)
        novelty[rows] = readable.novelty
    ordered = tuple(names[row] for row in range(total))
    return replace(readable, names=ordered, probabilities=probabilities, novelty=novelty, failures=tuple(failures))


def image_name(image: ImageSource, position: int) -> str:
    """What to call an image in tables and messages: its path, or its position."""
    return str(image) if isinstance(image, Path) else f"image {position}"
