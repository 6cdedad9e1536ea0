"""`headstart adapt`: a saved model fitted to images of another domain, where something speaks for it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import Place, check_order, overwrite, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.model.model import Model
    from headstart.verbs.adapt.adapt import Adaptation


@click.command("adapt")
@click.argument("model", type=Place())
@click.argument("target", nargs=-1, required=True)
@click.option("-o", "--output", type=Place(), help="Where to save the adapted model.  [default: MODEL-adapted]")
@overwrite
@click.option(
    "--target-labels",
    type=Place(),
    help="A few labelled images of the target (a folder of class folders, or a table), among TARGET or besides.",
)
@click.option("--allow-missing", is_flag=True, help="The target's labels may lack classes of MODEL.")
@run_options("max_unreadable", "seed", "device", "cache")
@click.option("--details", is_flag=True, help="Print every layer, every class's share and all images to label first.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and done as JSON.")
def command(
    model: Path,
    target: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    target_labels: Path | None,
    allow_missing: bool,
    run: Run,
    details: bool,
    as_json: bool,
) -> None:
    """Adapt the saved MODEL to TARGET: at least 30 images of another domain (files, folders or globs), without labels.

    Nothing is done where the domains do not differ, or where it cannot be seen that adapting helps; that is said, with
    the images to label first. MODEL stays as it is, and needs its kept training rows.
    """
    from headstart.cli.shift import show_details
    from headstart.model.bundle import check_destination
    from headstart.model.load import load_model
    from headstart.verbs.adapt.adapt import adapt

    check_order(model, target, "adapt")
    place = model.with_name(f"{model.resolve().name}-adapted") if output is None else output
    if place.resolve() == model.resolve():
        raise OptionError(f"the adapted model cannot be saved over {model}, which stays as it is: choose another -o.")
    predictor = load_model(model)
    check_destination(place, overwrite=overwrite)
    device = run.device if isinstance(run.device, str) else run.device.kind
    result = adapt(
        predictor,
        list(target),
        target_labels=target_labels,
        allow_missing=allow_missing,
        max_unreadable=run.max_unreadable,
        seed=run.seed,
        device=device,
        cache=run.cache,
    )
    if result.model is not None:
        result.model.save(place, overwrite=overwrite, command=["headstart", *sys.argv[1:]])
    if show.json_or_notes(result.shift, as_json):
        return
    show_adaptation(result, str(model), " ".join(shlex.quote(word) for word in target), str(place))
    if details:
        show_details(result.shift)


def adapt_trained(
    model: Model,
    target: Path,
    target_labels: Path | None,
    place: Path,
    run: Run,
    *,
    origins: Mapping[str, str],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Adapt a model that was just trained, save it to `place`, or the model itself where nothing is done; and say so.

    origins: content of a training image → the name of its domain, where there are several.
    """
    from headstart.verbs.adapt.adapt import adapt

    device = run.device if isinstance(run.device, str) else run.device.kind
    result = adapt(
        model,
        target,
        target_labels=target_labels,
        allow_missing=True,
        origins=origins,
        max_unreadable=run.max_unreadable,
        seed=run.seed,
        device=device,
        cache=run.cache,
    )
    (result.model or model).save(place, overwrite=overwrite, command=["headstart", *sys.argv[1:]])
    if show.json_or_notes(result.shift, as_json):
        return
    show_adaptation(result, str(place), shlex.quote(str(target)), str(place))
    if result.model is None:
        show.lines([("saved", f"{place}: the model as it was trained, not adapted")])


def show_adaptation(result: Adaptation, model: str, target: str, place: str) -> None:
    """Print what was done, or why nothing was. model, target, place: as commands name them."""
    from headstart.cli.shift import shift_lines
    from headstart.model.adaptation_words import adaptation_answer

    signs = shift_lines(result.shift, model, target)
    if result.model is None:
        show.lines([("done", "nothing was adapted"), *signs])
        return
    answer = adaptation_answer(result.model.manifest(), place)
    middle = [line for line in signs if line[0] in ("shift", "sources", "classes", "signs", "better")]
    show.lines([*answer[:2], *middle, *answer[2:]])
