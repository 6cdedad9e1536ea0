"""The `headstart` command: finds the verb's file, runs it, and turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 a fault of ours (with a traceback), 2 something the user can change, 130 interrupted, 141 the
reader of the output has gone.
A verb's file is imported only when its name is asked for, or listed in `--help`; verbs import heavy things inside.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from headstart._version import __version__
from headstart.checks import suggest
from headstart.errors import UserError

GROUPS: dict[str, dict[str, str]] = {
    "Make a model": {
        "train": "Measure ways to learn from labelled images, save the best.",
        "extend": "Add classes or images to a saved model in seconds.",
        "adapt": "Fit a saved model to another domain, without its labels.",
        "backbones": "List the pretrained networks that are at hand.",
        "demo": "Train on 2,624 real photographs of solar cells, to see it work.",
    },
    "Use it": {
        "predict": "Classify images; say which ones need a person.",
        "export": "Write a saved model for other runtimes, proven equal.",
        "verify": "Tell whether an exported file answers as its model does.",
        "evaluate": "Score a saved model on labelled images it has not seen.",
        "info": "Say how good a saved model is and what it confuses.",
        "drift": "Tell whether new images differ from the training ones.",
        "shift": "Say what another domain would cost, and what to do.",
    },
    "Look at the data": {
        "audit": "Find doubtful labels, duplicates, leaks and bad images.",
        "advise": "Say which way of transferring suits these data.",
        "embed": "Save what a pretrained network sees in each image.",
        "sample": "Draw images of known content, to test a pipeline.",
    },
    "Understand": {
        "curve": "Forecast what more labels would bring.",
        "rank": "Rank pretrained networks for these data, in seconds.",
        "depth": "Show how good each layer of a network is for these data.",
        "robustness": "Score a model under rain, night, fog, blur, noise, JPEG.",
        "forgetting": "Show what a fine-tune has changed in a network.",
        "cache": "Show or empty what is kept on disk for the next run.",
    },
}
"""The verbs, in the order in which a newcomer meets them, each with a summary that fits a line of 80 columns."""
VERBS = tuple(verb for verbs in GROUPS.values() for verb in verbs)

_HELP: tuple[list[str], ...] = ([], ["-h"], ["--help"], ["--version"])
_READER_GONE = 141
"""128 and the number of the signal SIGPIPE, as a shell has it."""


class Verbs(click.Group):
    """Loads a verb's file when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"headstart.cli.{cmd_name}").command
        if not any(parameter.name == "quiet" for parameter in command.params):
            command.params += _manner_options()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their summaries, in groups; no verb's file is loaded for it."""
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{verb:<10}", summary) for verb, summary in verbs.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest right spelling in the error."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = suggest(args[0], VERBS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}.{hint} The commands are: {', '.join(VERBS)}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; a reader that has gone (`| head`) is told apart from a fault, which click does not."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_READER_GONE)


def _set_manner(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Say less or more from now on; a verb's own option comes after the one before the verb."""
    from headstart import progress
    from headstart.cli import show

    if not wanted:
        return
    quiet = parameter.name == "quiet"
    show.set_manner(quiet=quiet, verbose=not quiet)
    progress.speak(progress.SILENT if quiet else progress.LINES, every=progress.EVERY if quiet else 1.0)


def _manner_options() -> list[click.Parameter]:
    """--quiet and --verbose, which every verb takes, before its name and after it."""
    texts = {
        "quiet": "Print the result alone: no progress, no notes.",
        "verbose": "Print all notes, and progress every second where no bar can be drawn.",
    }
    return [
        click.Option([f"--{name}"], is_flag=True, expose_value=False, callback=_set_manner, help=text)
        for name, text in texts.items()
    ]


@click.group(
    cls=Verbs,
    params=_manner_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="headstart")
def headstart() -> None:
    """Turn a folder of labelled images into a model you can trust, in minutes, on this machine.

    \b
    headstart train photos/ -o model/     measure and save
    headstart predict model/ new-photos/  say what is what

    Each command explains itself: headstart train --help.

    The tab key completes words after this line in bash (in zsh and fish with zsh_source and fish_source):

    \b
    eval "$(_HEADSTART_COMPLETE=bash_source headstart)"
    """


def main() -> None:
    """Run the command line and exit with its code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed (`>&-`)
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that this terminal cannot write is spelt out
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:] not in _HELP:  # which prints no progress: what prints it costs a tenth of help's time
        _reset_manner()
    try:
        headstart(prog_name="headstart", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _stop("interrupted; nothing half-written was left.", 130)
    except UserError as error:
        if os.environ.get("HEADSTART_DEBUG"):
            raise
        _stop(str(error), 2)
    except OSError as error:
        if os.environ.get("HEADSTART_DEBUG"):
            raise
        _stop(_system_refusal(error), 2)


def _reset_manner() -> None:
    """Progress in lines where no bar can be drawn, and the notes that matter, until an option says otherwise."""
    from headstart import progress
    from headstart.cli import show

    show.set_manner()
    progress.speak(progress.LINES)


def _system_refusal(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{where}: free some space and run the same command again."
    return f"the system refused{where}: {error.strerror or error}."


def _stop(sentence: str, code: int) -> None:
    from headstart.cli import show

    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(show.reworded(sentence), err=True)
    sys.exit(code)
