"""A result as a file to look at: `write_report` writes its page, `write_plot` its plot, whichever verb it comes from.

Takes what a verb has returned; a file is there whole or not at all. Nothing is measured here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import OptionError
from headstart.storage.files import write_atomically

if TYPE_CHECKING:
    from headstart.model.evaluation import Evaluation
    from headstart.verbs.audit.findings import Audit
    from headstart.verbs.curve.curve import Curve
    from headstart.verbs.depth import Depths
    from headstart.verbs.drift.result import BatchDrift


def write_report(
    result: Audit | BatchDrift | Evaluation,
    path: Path | str,
    *,
    data: str = "",
    shown: int | None = None,
    show_texts: bool = False,
) -> None:
    """Write a result as one page with images: an HTML file that runs no script and loads nothing.

    Parameters
    ----------
    result : Audit, BatchDrift or Evaluation
        What `headstart.audit`, `headstart.drift` or `evaluate` returned.
    path : path
        The file to write. Its folder is made, and a file that is there is replaced.
    data : str
        What the images of an audit or an evaluation came from, for its heading and the commands that it names.
    shown : int, optional
        The most images of each kind (of each side, for drift; mistakes, for an evaluation), at least 1; default: 24,
        for drift all that the result names.
    show_texts : bool
        Show whole texts; else the first 80 characters of each.

    Raises
    ------
    OptionError
        `result` is something else, `data` is given for drift, or `shown` is below 1.
    OSError
        The file cannot be written; then nothing is left half-written.

    Examples
    --------
    ::

        headstart.write_report(headstart.audit("photos/"), "audit.html", data="photos/")
    """
    from headstart.model.evaluation import Evaluation
    from headstart.report.audit import SHOWN, audit_html
    from headstart.report.drift import drift_html
    from headstart.report.evaluation import SHOWN as MISTAKES
    from headstart.report.evaluation import evaluation_html
    from headstart.verbs.audit.findings import Audit
    from headstart.verbs.drift.result import BatchDrift

    if isinstance(result, Audit):
        page = audit_html(result, data=data, shown=SHOWN if shown is None else shown, show_texts=show_texts)
    elif isinstance(result, BatchDrift):
        if data:
            raise OptionError(f"data names what an audit looked at; found {data!r} for a drift result: leave it out.")
        page = drift_html(result, shown=shown, show_texts=show_texts)
    elif isinstance(result, Evaluation):
        page = evaluation_html(result, data=data, shown=MISTAKES if shown is None else shown, show_texts=show_texts)
    else:
        raise OptionError(
            "write_report takes what headstart.audit, headstart.drift or evaluate returned; found "
            f"{type(result).__name__}."
        )
    _write(path, page)


def write_plot(result: BatchDrift | Curve | Depths, path: Path | str, *, data: str = "") -> None:
    """Write a result's plot as an SVG file. data: what the images of a learning curve came from, for the title.

    Raises `OptionError` for a result that has no plot, `OSError` where the file cannot be written.
    """
    from headstart.report.plots.results import curve_plot, depth_plot, scores_plot
    from headstart.verbs.curve.curve import Curve
    from headstart.verbs.depth import Depths
    from headstart.verbs.drift.result import BatchDrift

    if isinstance(result, BatchDrift):
        plot = scores_plot(result)
    elif isinstance(result, Depths):
        plot = depth_plot(result)
    elif isinstance(result, Curve):
        plot = curve_plot(result, data)
    else:
        raise OptionError(
            "write_plot takes what headstart.drift, headstart.depth or headstart.learning_curve returned; found "
            f"{type(result).__name__}."
        )
    _write(path, plot)


def _write(path: Path | str, text: str) -> None:
    write_atomically(Path(path), text.encode("utf-8", "backslashreplace"))
