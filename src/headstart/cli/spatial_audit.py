"""What audit does where the labels are boxes or masks; the verb's file calls this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headstart.cli.spatial import refuse_options
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.data.sources.annotations.find import Form

_OPTIONS = frozenset({"data", "listing", "group_by", "seed", "device", "cache", "as_json", "void"})
_EXAMPLES = 2


def audit(ctx: click.Context, form: Form, values: dict[str, Any]) -> None:
    """Print what was found, the answer first; write all of it to a CSV file where one is named."""
    from headstart.checks import quantity
    from headstart.cli import show
    from headstart.cli.options import words
    from headstart.verbs.spatial.audit import audit_spatial

    refuse_options(ctx, _OPTIONS, form.task)
    run, data = values["run"], values["data"]
    void = words(values["void"]) or ()
    if void and form.task == "boxes":
        raise OptionError(f"--void is about masks, and {data} holds boxes: leave it out.")
    result = audit_spatial(form, form.task, void=void, group_by=values["group_by"], seed=run.seed, cache=run.cache)
    if values["listing"] is not None:
        result.write_csv(values["listing"])
    if values["as_json"]:
        show.as_json(result.to_dict())
        return
    for sentence in result.notes:
        show.note(sentence)
    unit = "objects" if result.task == "boxes" else "images that show each class"
    counts = ", ".join(f"{name} {count:,}" for name, count in list(result.counts.items())[:12])
    show.lines([("result", result.headline()), ("data", f"{quantity(result.images, 'image')}; {unit}: {counts}")])
    rows = [
        (kind, f"{len(found):,}", "; ".join(f"{f.name}: {f.sentence}" for f in found[:_EXAMPLES]))
        for kind, found in result.kinds().items()
    ]
    if rows:
        click.echo("")
        show.table(("found", "count", "for example"), rows, right=(1,))
    click.echo("")
    if values["listing"] is not None:
        show.lines([("findings", str(values["listing"]))])
    elif rows:
        show.lines([("next", f"list them all: headstart audit {data} --csv findings.csv")])
