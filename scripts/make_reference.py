"""Writes docs/reference/: every command's help as it is printed, and every public name of Python with its docstring.

    python scripts/make_reference.py [--check]

With --check nothing is written: exit 1, and the names of the files that differ from what the program says today.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import headstart
from headstart.cli import main

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MADE = "<!-- Made by scripts/make_reference.py; change the program, not this file. -->"
WIDTH = 80

RESULTS = {
    "Model": "headstart.model.model",
    "Extended": "headstart.verbs.extend.extend",
    "Predictions": "headstart.records.predictions",
    "Decisions": "headstart.records.predictions",
    "Evaluation": "headstart.model.evaluation",
    "Estimate": "headstart.metrics.intervals",
    "Audit": "headstart.verbs.audit.findings",
    "Finding": "headstart.verbs.audit.findings",
    "BatchDrift": "headstart.verbs.drift.result",
    "Curve": "headstart.verbs.curve.curve",
    "Depths": "headstart.verbs.depth",
    "Ranking": "headstart.verbs.rank",
    "AdviceReport": "headstart.verbs.advise.advise",
}
"""What the public functions give back, and where it is defined."""


# The command line -----------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command's help, in the order of `headstart --help`."""
    settings = {**main.headstart.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    top = click.Context(main.headstart, info_name="headstart", **settings)
    verbs = main.headstart.list_commands(top)
    lines = [
        MADE,
        "",
        "# The command line",
        "",
        "What `headstart COMMAND --help` prints. Exit codes: 0 done, 2 something that you can change (one sentence",
        "says what), 1 a fault of Headstart's, 130 interrupted.",
        "",
        " · ".join(f"[{verb}](#headstart-{verb})" for verb in verbs),
        "",
        "## headstart",
        "",
        *_block(top.get_help()),
    ]
    for verb in verbs:
        command = main.headstart.get_command(top, verb)
        assert command is not None
        context = click.Context(command, info_name=verb, parent=top, max_content_width=WIDTH, terminal_width=WIDTH)
        lines += ["", f"## headstart {verb}", "", *_block(command.get_help(context))]
    return "\n".join([*lines, ""])


def _block(text: str) -> list[str]:
    return ["```text", *(line.rstrip() for line in text.strip().splitlines()), "```"]


# Python ---------------------------------------------------------------------------------------------------------------


def python_page() -> str:
    """Every public name, then what the public functions give back."""
    names = [name for name in headstart.__all__ if not name.startswith("_")]
    lines = [
        MADE,
        "",
        "# Python",
        "",
        "`import headstart`; every name below is `headstart.NAME`. Shares are shares of 1 (0.05 is 5 %), times are",
        "seconds.",
        "Errors are made to be read: each is a sentence, and what you can change is a `headstart.errors.UserError`.",
        "",
        " · ".join(f"[{name}](#{name.lower()})" for name in names),
        "",
    ]
    for name in names:
        lines += _entry(name, getattr(headstart, name))
    lines += [
        "# What they give back",
        "",
        "Frozen records: read them; they are not built by hand.",
        "",
        " · ".join(f"[{name}](#{name.lower()})" for name in RESULTS),
        "",
    ]
    for name, module in RESULTS.items():
        lines += _entry(name, getattr(importlib.import_module(module), name), record=True)
    return "\n".join(lines).rstrip() + "\n"


def _entry(name: str, thing: Any, *, record: bool = False) -> Iterator[str]:
    """A heading, the signature and the docstring; of a class also its methods and properties."""
    yield from (f"## {name}", "")
    if not record:
        yield from ("```python", _signature(name, thing), "```", "")
    yield from _markdown(inspect.getdoc(thing) or "")
    if inspect.isclass(thing):
        yield from _members(name, thing)


def _members(name: str, owner: type) -> Iterator[str]:
    """The public methods and properties that the class itself defines, in the order of its source."""
    for member, raw in vars(owner).items():
        if member.startswith("_"):
            continue
        if isinstance(raw, property):
            yield from (f"### {name}.{member}", "", *_markdown(inspect.getdoc(raw) or ""))
        elif inspect.isfunction(raw):
            yield from (f"### {name}.{member}()", "", "```python", _signature(f"{name}.{member}", raw), "```", "")
            yield from _markdown(inspect.getdoc(raw) or "")


def _signature(name: str, thing: Any) -> str:
    """The signature with bare annotations; a line a parameter where it is long."""
    signature = inspect.signature(thing)
    parameters, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parameters.append("*")
            starred = True
        annotated = parameter.annotation is not parameter.empty
        text = parameter.name + (f": {_annotation(parameter.annotation)}" if annotated else "")
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}" if annotated else f"={_default(parameter.default)}"
        parameters.append(text)
    back = (
        "" if inspect.isclass(thing) or signature.return_annotation is signature.empty else signature.return_annotation
    )
    arrow = f" -> {_annotation(back)}" if back != "" else ""
    whole = f"{name}({', '.join(parameters)}){arrow}"
    if len(whole) <= WIDTH:
        return whole
    return f"{name}(\n" + "".join(f"    {text},\n" for text in parameters) + f"){arrow}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """A default as it is written; what a factory makes is `...`."""
    return "..." if "factory" in repr(value) else repr(value)


def _markdown(docstring: str) -> Iterator[str]:
    """A numpydoc docstring as Markdown: sections become bold headings, entries a list, examples code."""
    pieces = re.split(r"^(\w[\w ]*)\n-{3,}\n", docstring, flags=re.MULTILINE)
    yield from _prose(pieces[0])
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        yield from (f"**{title}**", "")
        if title.startswith("Example"):
            yield from _examples(body)
        elif title in ("Notes", "References", "See Also"):
            yield from _prose(body)
        else:
            yield from _listing(body)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; an indented block or one of `>>>` is code."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith(("    ", ">>>")):
            yield from ("```python", *inspect.cleandoc(block).splitlines(), "```", "")
        elif block.strip() not in ("", "::"):
            yield from (*block.splitlines(), "")


def _examples(text: str) -> Iterator[str]:
    lines = inspect.cleandoc(text.replace("::\n", "\n", 1) if text.lstrip().startswith("::") else text)
    yield from ("```python", *lines.splitlines(), "```", "")


def _listing(text: str) -> Iterator[str]:
    """Entries `name : type` (or a type alone) with their indented text."""
    for entry in re.split(r"\n(?=\S)", text.strip("\n")):
        head, *rest = entry.splitlines()
        name, colon, kind = head.partition(" : ")
        words = " ".join(line.strip() for line in rest)
        label = f"`{name}` ({kind})" if colon else f"`{name}`"
        yield f"- {label}: {words}" if words else f"- {label}"
    yield ""


# ----------------------------------------------------------------------------------------------------------------------


def pages() -> dict[Path, str]:
    """The reference's files and what should stand in them."""
    return {FOLDER / "cli.md": cli_page(), FOLDER / "python.md": python_page()}


def differing() -> list[str]:
    """The names of the files that are not what the program says today."""
    return [path.name for path, text in pages().items() if not path.exists() or path.read_text() != text]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        old = differing()
        sys.exit(f"out of date: {', '.join(old)}; run python scripts/make_reference.py" if old else 0)
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)
