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
from headstart.model.open import SPATIAL, open_model
from headstart.report.predictions import PredictionTable
from headstart.report.spatial_records import answer_records
from headstart.verbs.predict import images_of

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.model.spatial.predictor import SpatialPredictor
    from headstart.records.samples import Samples

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
    elif options.images == [_INPUT]:
        for line in filter(None, map(str.strip, sys.stdin)):
            _write(_refusals(model, line, options.max_error))
    else:
        records = list(_records(model, images_of(options.images), options.max_error))
        _write(records)
        if all("unreadable" in record for record in records):
            raise DataError(f"no image could be read, of {len(records):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF.")


def _write(records: Iterable[dict[str, Any]]) -> None:
    for record in records:
        print(json.dumps(record, ensure_ascii=False), flush=True)


def _refusals(model: Opened, line: str, max_error: float | None) -> Iterator[dict[str, Any]]:
    """The answers to a line; where it names no image a record that says so, for the next line is still to come."""
    try:
        yield from _records(model, images_of([line]), max_error)
    except DataError as error:
        yield {"image": line, "class": None, "unreadable": str(error)}


def _records(model: Opened, samples: Samples, max_error: float | None) -> Iterator[dict[str, Any]]:
    from headstart.model.predictor import Predictor

    if not isinstance(model, Predictor):
        answers = model.predict(samples.items, names=samples.names)
        yield from answer_records(answers, model.task.name)
        return
    predictions = model.predict(samples.items, names=samples.names)
    decisions = model.decide(predictions, max_error=max_error) if _decides(model, max_error) else None
    yield from PredictionTable(predictions, decisions).to_records()


def _decides(model: Predictor, max_error: float | None) -> bool:
    """Whether each answer comes with a decision: asked for, or trained so and scipy is installed."""
    trained = model.trust is not None and model.trust.default_guarantee is not None
    if max_error is None and trained and not installed("scipy"):
        print(_NO_DECISION, file=sys.stderr)
        return False
    return max_error is not None or trained


def _self_test(model: Opened, begin: float) -> dict[str, Any]:
    """One image through the whole model: a golden one where the bundle keeps some, else a drawn one."""
    golden = None if model.bundle is None else read_golden(model.bundle)
    image = golden.images()[0] if golden is not None else np.full((64, 64, 3), 127, np.uint8)
    predictions = model.predict([image])
    if predictions.failures:
        raise DataError(f"the model could not read its own image ({predictions.failures[0].reason}): train it again.")
    task = str(model.manifest["task"]) if model.bundle is not None else "classify"
    if task not in SPATIAL and not np.isfinite(predictions.probabilities).all():  # type: ignore[union-attr]
        raise DataError("the model gave a probability that is no number: train it again.")
    return {"ok": True, "task": task, "engine": cpu_engine(), "seconds": round(time.perf_counter() - begin, 3)}


if __name__ == "__main__":
    sys.exit(main())
