"""`python -m headstart.runtime MODEL IMAGES`: a saved model's answers, one JSON object a line.

This is the command of headstart-runtime, which holds neither the command line's libraries nor anything that trains. The
records are those of `headstart predict --json`. `-` in the place of IMAGES reads a path from each line of standard
input and answers it at once, so that the model is opened once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import progress
from headstart.device import installed
from headstart.embed.networks import cpu_engine
from headstart.errors import DataError, OptionError, UserError
from headstart.model.golden import read_golden
from headstart.model.open import open_model
from headstart.report.predictions import PredictionTable
from headstart.report.spatial_records import answer_records
from headstart.verbs.predict import images_of, items_of

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.model.spatial.predictor import SpatialPredictor

    Opened = Predictor | SpatialPredictor

_INPUT = "-"
_NO_DECISION = (
    "Note: this model was trained to accept or to send to review, which needs scipy: the answers come without a "
    "decision; run  pip install scipy  for it."
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 with one sentence on standard error."""
    options = _parser().parse_args(words)
    progress.speak(progress.SILENT)
    try:
        _run(options)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headstart.runtime", description="A saved model's answers to images, one JSON object a line."
    )
    parser.add_argument("model", help="the folder that 'headstart train' wrote")
    parser.add_argument("images", nargs="*", help="files, folders and globs; - reads a path from each line of input")
    parser.add_argument(
        "--max-error",
        type=float,
        metavar="SHARE",
        help="accept so that at most this share of the accepted answers is wrong, such as 0.02; needs scipy; default: "
        "as the model was trained",
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="answer one image that the model brings along, and say how long it took",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    begin = time.perf_counter()
    if not options.self_test and not options.images:
        raise OptionError("no images were named: give files, folders or globs, or - for paths on standard input.")
    if options.max_error is not None and not installed("scipy"):
        raise OptionError("--max-error needs scipy, which is not installed: run  pip install scipy  and try again.")
    model = open_model(options.model)
    if options.self_test:
        _write([_self_test(model, begin)])
        return
    if options.max_error is None and _trained_to_decide(model) and not installed("scipy"):
        print(_NO_DECISION, file=sys.stderr)
    if options.images == [_INPUT]:
        for line in filter(None, map(str.strip, sys.stdin)):
            _write(_refusals(model, line, options.max_error))
    else:
        records = list(_records(model, options.images, options.max_error))
        _write(records)
        if all("unreadable" in record for record in records):
            raise DataError(f"no image could be read, of {len(records):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF.")


def _write(records: Iterable[dict[str, Any]]) -> None:
    for record in records:
        print(json.dumps(record, ensure_ascii=False), flush=True)


def _refusals(model: Opened, line: str, max_error: float | None) -> Iterator[dict[str, Any]]:
    """The answers to a line; where it names no image a record that says so, for the next line is still to come."""
    try:
        yield from _records(model, [line], max_error)
    except DataError as error:
        yield {"image": line, "class": None, "unreadable": str(error)}


def _records(model: Opened, places: Sequence[str], max_error: float | None) -> Iterator[dict[str, Any]]:
    from headstart.model.predictor import Predictor

    if not isinstance(model, Predictor):
        samples = images_of(places)
        yield from answer_records(model.predict(samples.items, names=samples.names), model.task.name)
        return
    samples = items_of(model, places)
    predictions = model.predict(samples.items, names=samples.names)
    wanted = max_error is not None or (_trained_to_decide(model) and installed("scipy"))
    decisions = model.decide(predictions, max_error=max_error) if wanted else None
    yield from PredictionTable(predictions, decisions).to_records()


def _trained_to_decide(model: Opened) -> bool:
    """Whether the model was trained with a guarantee."""
    trust = getattr(model, "trust", None)
    return getattr(trust, "default_guarantee", None) is not None


def _self_test(model: Opened, begin: float) -> dict[str, Any]:
    """One item through the whole model."""
    answers = model.predict([_own_item(model)])
    if answers.failures:
        raise DataError(f"the model could not read its own input ({answers.failures[0].reason}): train it again.")
    probabilities = getattr(answers, "probabilities", None)
    if probabilities is not None and not np.isfinite(probabilities).all():
        raise DataError("the model gave a probability that is no number: train it again.")
    seconds = round(time.perf_counter() - begin, 3)
    return {"ok": True, "task": str(model.manifest["task"]), "engine": cpu_engine(), "seconds": seconds}


def _own_item(model: Opened) -> Any:
    """A golden image where the bundle keeps some, else a grey one; of a model of texts a sentence."""
    if hasattr(model, "parts") and model.parts[0].backbone.spec.modality == "text":
        return "A sentence to answer."
    golden = None if model.bundle is None else read_golden(model.bundle)
    return golden.images()[0] if golden is not None else np.full((64, 64, 3), 127, np.uint8)


if __name__ == "__main__":
    sys.exit(main())
