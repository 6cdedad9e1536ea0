"""What export and verify do where the model is a detector or segmenter; the verbs' files call these."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli.spatial import refuse_options

if TYPE_CHECKING:
    from headstart.model.export.spatial.parity import SpatialCheck
    from headstart.model.spatial.predictor import SpatialPredictor

_EXPORT_OPTIONS = frozenset({"model", "output", "to", "images", "overwrite"})


def export(ctx: click.Context, predictor: SpatialPredictor, values: dict[str, Any]) -> None:
    """Write the ONNX file and print the proof."""
    from headstart.cli import show
    from headstart.errors import OptionError
    from headstart.verbs.spatial.export import export_spatial

    refuse_options(ctx, _EXPORT_OPTIONS, predictor.task.name)
    if values["to"] not in (None, "onnx"):
        raise OptionError(f"models of {predictor.task.name} are exported as ONNX alone: leave --to out.")
    images, overwrite = values["images"], values["overwrite"]
    result = export_spatial(predictor, values["output"], check=images or None, overwrite=overwrite)
    show.lines(
        [
            ("exported", f"{result.path} ({result.bytes / 1e6:.1f} MB): {', '.join(result.outputs)}"),
            *check_lines(result.checks),
        ]
    )


def verify(predictor: SpatialPredictor, file: Path, model: Path, images: tuple[str, ...]) -> None:
    """Print whether the file answers as the model; exit code 1 where it does not."""
    from headstart.cli import show
    from headstart.verbs.spatial.export import difference_words, verify_spatial

    checks = verify_spatial(file, predictor, images or None)
    failed = [check for check in checks if not check.passed]
    answer = difference_words(failed[0]) if failed else f"{file} answers as {model} does"
    show.lines([("differs" if failed else "same", answer), *check_lines(checks)])
    if failed:
        sys.exit(1)


def check_lines(checks: tuple[SpatialCheck, ...]) -> list[tuple[str, str]]:
    """The comparisons in words, a line each."""
    lines: list[tuple[str, str]] = []
    for check in checks:
        if check.task == "masks":
            words = f"the class of at most {100 * check.largest:.2g} % of an image's pixels differs"
        else:
            words = f"{check.answers:,} boxes within {check.largest:.1g} pixels, scores within {check.score:.1g}"
            words += f", {check.alone} without counterpart" if check.alone else ""
        fault = "" if check.passed else f" — TOO FAR; worst: {check.worst}"
        lines.append(("" if lines else "proof", f"{check.runtime}, {check.kind}: {words}{fault}"))
    return lines
