"""Options that several verbs share: decorators that add them, and the types of their values."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from headstart import checks
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.data.sources.dataset import Dataset
    from headstart.pipeline.options import Options

Verb: TypeAlias = Callable[..., Any]


class Place(click.Path):
    """A path that is not empty: '' (a shell variable that is not set) would otherwise mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as `Path`."""
        if value == "":
            self.fail("it is empty; give a path ('.' for the current folder).", param, ctx)
        return super().convert(value, param, ctx)


def check_order(model: Path, others: Sequence[Path | str], verb: str) -> None:
    """Raise `OptionError` with the right order where a model stands among the others, and none at its own place."""
    if _holds_model(model):
        return
    swapped = next((other for other in others if _holds_model(Path(other))), None)
    if swapped is not None:
        rest = " ".join(shlex.quote(str(word)) for word in (model, *others) if word is not swapped)
        right = f"headstart {verb} {shlex.quote(str(swapped))} {rest}"
        raise OptionError(f"{str(model)!r} is no saved model, but {str(swapped)!r} is; the model comes first: {right}")


def _holds_model(place: Path) -> bool:
    return (place / "manifest.json").is_file()


class Page(Place):
    """A place for a page: a path that ends in .html, refused before any work where it cannot be one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as `Path`."""
        place = super().convert(value, param, ctx)
        if place.suffix.lower() not in (".html", ".htm") or place.is_dir():
            raise OptionError(
                f"{param.opts[0] if param else 'a page'} must name a file that ends in .html; found {str(place)!r}."
            )
        return place


_COLUMNS = (
    ("--path-column", "Column with the image's path (default: found by its name)."),
    ("--label-column", "Column with the label (default: found by its name)."),
    (
        "--group-column",
        "Column naming what belongs together: patient, site, video (default: found by its name).",
    ),
    ("--text-column", "Column with the text (default: found by its name)."),
    ("--split-column", "Column with train, val or test; 'none' for no split (default: found by its name)."),
)


@dataclass(frozen=True)
class ColumnOptions:
    """Names of a table's columns; None where they are found by their usual names."""

    path_column: str | None
    label_column: str | None
    group_column: str | None
    text_column: str | None
    split_column: str | None
    modality: str | None

    def load(self, data: Path) -> Dataset:
        """The labelled images or texts in a folder or table."""
        from headstart.cli import show
        from headstart.data.modality import modality_of
        from headstart.data.sources.load import load_dataset

        dataset = load_dataset(
            data,
            path_column=self.path_column,
            label_column=self.label_column,
            group_column=self.group_column,
            split_column=self.split_column,
            text_column=self.text_column,
            modality=self.modality,
        )
        show.speak_of(modality_of(dataset.samples).noun)
        return dataset


def columns(function: Verb) -> Verb:
    """Add the options that name a table's columns; the function gets them as one, `columns`."""
    options = [click.option(name, help=f"In a table: {text[0].lower()}{text[1:]}") for name, text in _COLUMNS]
    options.append(
        click.option("--modality", type=click.Choice(("image", "text")), help="What DATA holds, where it holds both.")
    )
    return as_record(function, "columns", options, ColumnOptions)


NONE = "none"


class ShareType(click.ParamType[float | str]):
    """A share such as 0.02 or 2%, within limits; where it may be left open, also 'none'."""

    name = "share"

    def __init__(self, low: float, high: float, *, none: bool = False) -> None:
        self.low, self.high, self.none = low, high, none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The share of 1, or 'none'."""
        if self.none and isinstance(value, str) and value.strip().lower() == NONE:
            return NONE
        name = param.opts[0] if param else "a share"
        try:
            return checks.share(name, value, self.low, self.high)
        except OptionError as error:
            raise OptionError(str(error).removesuffix(".") + ", or none." if self.none else str(error)) from None


group_by = click.option(
    "--group-by",
    default="auto",
    show_default=True,
    help="What shows one thing several times (a part, plant, patient) and is kept in one fold: auto looks for series "
    "where the data name no groups; none; folder; exif-time (taken within a minute); name:REGEX, what is found in the "
    "file's name, such as 'name:^part\\d+'.",
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace a model that lies at -o already.")
_EXCLUDE = click.option(
    "--exclude",
    type=Place(),
    help="A plan (CSV) that 'headstart audit DATA --fix FILE' has written and you have read: what it excludes "
    "is left out, what it groups stays in one fold. Its lines 'keep' change nothing.",
)
_MAX_UNREADABLE = click.option(
    "--max-unreadable",
    type=ShareType(0, 1),
    default="5%",
    show_default=True,
    help="The share of unreadable images above which the run stops.",
)
_SEED = click.option(
    "--seed", default=0, show_default=True, help="Of everything that is drawn: images, folds, intervals, permutations."
)
_DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
_CACHE = click.option(
    "--cache/--no-cache", default=True, show_default=True, help="Keep embeddings and thumbnails for the next run."
)
_RUN = {"max_unreadable": _MAX_UNREADABLE, "seed": _SEED, "device": _DEVICE, "cache": _CACHE}


def run_options(*names: str) -> Callable[[Verb], Verb]:
    """A decorator that adds these options of a run; the function gets them as one record, `run`.

    names: of `max_unreadable`, `seed`, `device` and `cache`; what is not among them keeps its default.
    """

    return lambda function: as_record(function, "run", [_RUN[name] for name in names], Run, names=names)


def run(function: Verb) -> Verb:
    """Add the options of every verb that measures; the function gets `exclude`, and the others as one, `run`."""
    return _EXCLUDE(run_options(*_RUN)(function))


def as_record(
    function: Verb,
    name: str,
    options: Sequence[Callable[[Any], Any]],
    record: Callable[..., Any],
    *,
    names: Sequence[str] = (),
) -> Verb:
    """The function with these options, which it gets as one argument, `name`: what `record` makes of their values.

    names: of the options' values, where `record` does not spell its parameters out.
    """
    value_names = names or tuple(inspect.signature(record).parameters)

    @functools.wraps(function)
    def with_record(**values: Any) -> Any:
        """Call the function with one record instead of the options' values."""
        argument = record(**{word: values.pop(word) for word in value_names})
        return function(**{name: argument}, **values)

    decorated: Verb = with_record
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


metric = click.option(
    "--metric",
    default="accuracy",
    show_default=True,
    help="What is compared: accuracy, balanced-accuracy or macro-f1.",
)


def words(text: str | None) -> tuple[str, ...] | None:
    """A comma-separated option as its words; None where it was not given.

    >>> words("ridge, probe")
    ('ridge', 'probe')
    """
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())


class Duration(click.ParamType[float]):
    """A time such as 30s, 5m or 1h, as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds."""
        from headstart.choose.budget import parse_seconds

        return parse_seconds(value) if isinstance(value, str) else value


class Drawing(Place):
    """A place for a plot: a path that ends in .svg, refused before any work where it cannot be one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as `Path`."""
        place = super().convert(value, param, ctx)
        if place.suffix.lower() != ".svg" or place.is_dir():
            raise OptionError(
                f"{param.opts[0] if param else 'a plot'} must name a file that ends in .svg; found {str(place)!r}."
            )
        return place


def measurement_options(run: Run, exclude: Path | None, backbones: str, metric: str = "accuracy") -> Options:
    """The options of a measurement. exclude: a plan. backbones: comma-separated."""
    from headstart.pipeline.options import Options

    return Options(
        backbones=words(backbones) or (),
        metric=metric,
        exclude=None if exclude is None else str(exclude),
        **asdict(run),
    )
