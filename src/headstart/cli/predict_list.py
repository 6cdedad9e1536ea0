"""`headstart predict MODEL --list FILES -o ANSWERS`: what it prints, and what cannot be given with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headstart.checks import quantity
from headstart.errors import OptionError


def check(images: Sequence[str], listed: Path | None, output: Path | None, further: Sequence[str]) -> None:
    """Raise `OptionError` where options contradict each other."""
    if listed is None or output is None:
        missing = "--list FILES" if listed is None else "-o answers.csv"
        raise OptionError(f"--list and -o belong together: give {missing} too.")
    if images:
        raise OptionError("IMAGES and --list cannot be given together: write all paths into the list.")
    if further:
        raise OptionError(f"{further[0]} cannot be given with --list: leave it out.")


def run(
    model: Path,
    listed: Path | None,
    output: Path | None,
    *,
    max_error: float | None,
    device: str,
    precision: str,
    cache: bool,
    again: bool,
) -> None:
    """Predict, and say what was written."""
    from headstart.cli import show
    from headstart.verbs.predict_list import predict_list

    assert listed is not None  # `check` has looked
    assert output is not None
    result = predict_list(
        model, listed, output, max_error=max_error, device=device, precision=precision, cache=cache, overwrite=again
    )
    fresh = result.rows - result.before
    resumed = f", {result.before:,} of them by an earlier run" if result.before else ""
    rate = f"{fresh / max(result.seconds, 1e-9):,.0f} images/s"
    lines = [("written", f"{result.path}: {quantity(result.rows, 'row')}{resumed} ({rate})")]
    if result.accepted is not None:
        lines.append(("accepted", f"{result.accepted:,} of {result.rows:,} under the guarantee; the others to review"))
    counts = sorted(result.counts.items(), key=lambda entry: -entry[1])
    unreadable = [("unreadable", result.unreadable)] if result.unreadable else []
    lines.append(("counts", ", ".join(f"{name} {count:,}" for name, count in (*counts, *unreadable))))
    show.lines(lines)
