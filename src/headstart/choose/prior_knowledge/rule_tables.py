"""What well-known rule tables advise for data of a given size and similarity to ImageNet: a prior, not a measurement.

`TABLES` holds the tables, each with its source; `advise` takes a `Position` and returns what each table says there, and
which of them contradict each other. It measures nothing and favours no table.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

from headstart.checks import at_least
from headstart.errors import OptionError

Verdict = Literal["similar", "different", "in between"]
Cell = tuple[tuple[str, ...], str]
"""What may be done there (names of `WAYS`; none where the table is silent), and the reason that the table gives."""

WAYS: Mapping[str, str] = {
    "probe": "a head on the last layer",
    "early": "a head on earlier layers",
    "top": "fine-tune the last stages",
    "full": "fine-tune the whole network",
    "scratch": "train from random weights",
    "more": "more images or another backbone",
}
TRY: Mapping[str, str] = {
    "probe": "probe",
    "early": "multi-layer probe",
    "top": "last-1, last-2",
    "full": "lp-ft, full",
    "scratch": "scratch",
}
"""What Headstart calls the ways that it can compare."""
BANDS = (10, 20, 100, 1_000, 100_000)
"""Images per class at which the tables in use change their advice; which table changes where is in its text."""
LARGE = 1_000
"""Images per class from which a table that names no number is read in its row for large data (Warden's rule)."""
_PRETRAINED = ("probe", "early", "top", "full")


@dataclass(frozen=True)
class Position:
    """Where data stand. counts: images of each class; similarity: to ImageNet, as `choose.prior_knowledge.similarity`
    finds it.

    Raises `OptionError` where there is no class, a class without an image, or an unknown similarity.
    """

    counts: tuple[int, ...]
    similarity: Verdict

    def __post_init__(self) -> None:
        at_least("number of classes", len(self.counts), 1)
        at_least("images of the smallest class", self.smallest, 1)
        if self.similarity not in ("similar", "different", "in between"):
            raise OptionError(f"similarity must be similar, different or in between; found {self.similarity!r}.")

    @property
    def images(self) -> int:
        """All images."""
        return sum(self.counts)

    @property
    def smallest(self) -> int:
        """Images of the smallest class."""
        return min(self.counts)

    @property
    def median(self) -> int:
        """Images of the class in the middle (the smaller one of two): what tables per class are read at."""
        return sorted(self.counts)[(len(self.counts) - 1) // 2]

    @property
    def large(self) -> bool:
        """Whether tables that only say small or large are read at large."""
        return self.median >= LARGE

    @property
    def sides(self) -> tuple[Literal["similar", "different"], ...]:
        """The columns to read: both, where the similarity lies in between."""
        if self.similarity == "in between":
            return ("similar", "different")
        return (self.similarity,)


@dataclass(frozen=True)
class Table:
    """A rule table: what it is called here, where it is, in which unit it counts size, and its advice at a position.

    read: median images per class, all images, one column → the cell.
    """

    name: str
    source: str
    size: str
    read: Callable[[int, int, str], Cell]


@dataclass(frozen=True)
class Advice:
    """What a table says. ways: names of `WAYS`, none where it is silent. reason: the table's, in our words."""

    table: str
    source: str
    size: str
    ways: tuple[str, ...]
    reason: str

    def words(self) -> str:
        """The advice alone."""
        rest = [WAYS[way] for way in self.ways]
        if set(_PRETRAINED) <= set(self.ways):
            rest = ["the pretrained network, in any way", *(WAYS[way] for way in self.ways if way not in _PRETRAINED)]
        return " or ".join(rest) or "says nothing here"


@dataclass(frozen=True)
class Contradiction:
    """Two tables of which no advice of the one is an advice of the other."""

    first: Advice
    second: Advice

    def words(self) -> str:
        """Both advices, in a sentence."""
        return f"{self.first.table} says: {self.first.words()}; {self.second.table} says: {self.second.words()}."


@dataclass(frozen=True)
class Prior:
    """What the tables say of a position, in the order of `TABLES`."""

    position: Position
    advice: tuple[Advice, ...]
    contradictions: tuple[Contradiction, ...]

    @property
    def band(self) -> str:
        """Between which of `BANDS` the median class lies.

        >>> Prior(Position((45, 60), "similar"), (), ()).band
        '20 to 99'
        """
        place = bisect_right(BANDS, self.position.median)
        if place == 0:
            return f"fewer than {BANDS[0]}"
        if place == len(BANDS):
            return f"{BANDS[-1]:,} or more"
        return f"{BANDS[place - 1]:,} to {BANDS[place] - 1:,}"

    def disagreement(self) -> str:
        """Where the tables disagree, in a sentence or two."""
        if not self.contradictions:
            return "The tables that say something here can all be followed at once."
        sides: dict[str, list[str]] = {}
        for advice in {a.table: a for c in self.contradictions for a in (c.first, c.second)}.values():
            sides.setdefault(advice.words(), []).append(advice.table)
        positions = "; ".join(f"{words} ({', '.join(tables)})" for words, tables in sides.items())
        count = len(self.contradictions)
        pairs = "1 pair of tables cannot" if count == 1 else f"{count} pairs of tables cannot"
        return f"The tables contradict each other: {pairs} be followed at once. {positions[0].upper()}{positions[1:]}."

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "advice": [{**asdict(advice), "words": advice.words()} for advice in self.advice],
            "contradictions": [[advice.first.table, advice.second.table] for advice in self.contradictions],
            "disagreement": self.disagreement(),
            "band": self.band,
        }


def prior_advice(position: Position) -> Prior:
    """What each table says at a position, and which contradict each other.

    >>> prior_advice(Position((50, 60), "similar")).advice[0].ways
    ('probe',)
    """
    advice = tuple(_advise(table, position) for table in TABLES)
    return Prior(position, advice, contradictions(advice))


def contradictions(advice: Sequence[Advice]) -> tuple[Contradiction, ...]:
    """The pairs that both say something, and have no way in common."""
    pairs = combinations([entry for entry in advice if entry.ways], 2)
    return tuple(Contradiction(a, b) for a, b in pairs if not set(a.ways) & set(b.ways))


def _advise(table: Table, position: Position) -> Advice:
    """A table at a position; where the similarity lies in between, what it says on either side."""
    cells = [table.read(position.median, position.images, side) for side in position.sides]
    ways = tuple(dict.fromkeys(way for cell in cells for way in cell[0]))
    reasons = "; ".join(dict.fromkeys(cell[1] for cell in cells))
    return Advice(table.name, table.source, table.size, ways, reasons)


def _two_by_two(cells: Mapping[tuple[str, str], Cell]) -> Callable[[int, int, str], Cell]:
    """A table that knows small and large, similar and different, and names no number."""
    return lambda median, images, side: cells["large" if median >= LARGE else "small", side]


def _warden(median: int, images: int, side: str) -> Cell:
    if median < 10:
        return ("more",), "ten or twenty images of a class are the fewest that a trained network learns from"
    if median < 1_000 and side == "different":
        return ("more",), "a network trained on photographs needs many more images of another kind"
    if median < 1_000:
        return _PRETRAINED, "ten or twenty images of a class can be enough for a trained network; 1,000 without one"
    return (*_PRETRAINED, "scratch"), "about 1,000 images of each class suffice to train a network of one's own"


def _automl(median: int, images: int, side: str) -> Cell:
    if median < 10:
        return ("more",), "at least 10 labelled examples of each class are required"
    return (), "10 examples of each class are required; 100 or 1,000 are recommended, depending on the page's edition"


def _ladder(median: int, images: int, side: str) -> Cell:
    if images < 1_000:
        return ("probe",), "with fewer than 1,000 images in all only the head is trained"
    if images <= 100_000:
        return ("top",), "with 1,000 to 100,000 images in all the later layers are trained too"
    return ("full",), "with more than 100,000 images in all every layer is trained"


def _few_shot(median: int, images: int, side: str) -> Cell:
    if images >= 10_000:
        return ("full", "scratch"), "10,000 images or more are past few-shot learning"
    if side == "different":
        return (), "it warns against few-shot learning on images unlike ImageNet's, and says nothing else"
    if 5 <= median <= 500:
        return ("probe",), "5 to 500 images of a class: only the last layer is trained, the rest would overfit"
    return (), "it speaks of 5 to 500 images of a class, and of 10,000 in all"


_PER_CLASS = "images per class"
_NO_NUMBER = f"names no number: read as large from {LARGE:,} images per class"
_IN_ALL = "images in all"

TABLES = (
    Table(
        "CS231n notes",
        "A. Karpathy, cs231n.github.io/transfer-learning",
        _NO_NUMBER,
        _two_by_two(
            {
                ("small", "similar"): (("probe",), "few images overfit a whole network, and its late layers fit them"),
                ("small", "different"): (("early",), "few images overfit, and the late layers are ImageNet's own"),
                ("large", "similar"): (("full",), "many images carry training the whole network"),
                ("large", "different"): (
                    ("full", "scratch"),
                    "there is enough to start anew, but pretrained weights are the better start most times",
                ),
            }
        ),
    ),
    Table(
        "CS231n slides",
        "as noted at vital.dinf.usherbrooke.ca/cnn-part-6-transfer-learning",
        _NO_NUMBER,
        _two_by_two(
            {
                ("small", "similar"): (("probe",), "the top layer already fits"),
                ("small", "different"): (("probe", "early"), "the hardest case: try heads at different stages"),
                ("large", "similar"): (("top",), "a few layers are enough to adapt"),
                ("large", "different"): (("top", "full"), "more layers have to adapt"),
            }
        ),
    ),
    Table(
        "CS231n slides, later",
        "lecture 6, as noted at stevengong.co/notes/Transfer-Learning",
        _NO_NUMBER,
        _two_by_two(
            {
                ("small", "similar"): (("probe",), "the last layer already fits"),
                ("small", "different"): (("more",), "neither the layers nor the images suffice"),
                ("large", "similar"): (("full",), "all layers may adapt"),
                ("large", "different"): (("full", "scratch"), "all layers must adapt, or are learned anew"),
            }
        ),
    ),
    Table(
        "GenAI course matrix",
        "chapter 3.12, genai-learnning.vercel.app/chapter/3-12",
        _NO_NUMBER,
        _two_by_two(
            {
                ("small", "similar"): (("probe",), "the features fit as they are"),
                ("small", "different"): (("top",), "the top layers are what does not fit"),
                ("large", "similar"): (("full",), "there is enough to train everything"),
                ("large", "different"): (("full", "scratch"), "there is enough to train everything, or to start anew"),
            }
        ),
    ),
    Table("GenAI course ladder", "the same page, its list by size alone", _IN_ALL, _ladder),
    Table("1,000 a class", "P. Warden, petewarden.com/2017/12", _PER_CLASS, _warden),
    Table(
        "few-shot recipe",
        "theneuralbase.com/torchvision/learn/advanced/few-shot-fine-tuning",
        "images per class and in all",
        _few_shot,
    ),
    Table(
        "AutoML Vision",
        "cloud.google.com/vision/automl/object-detection/docs/prepare",
        "labelled examples per class",
        _automl,
    ),
)
