"""Reruns the tutorial at a terminal of 80 columns, and puts what it prints and shows into the documents.

    python scripts/make_samples.py

Writes the `text` blocks of docs/tutorial.md, the sample in README.md (what `train` prints there) and, where Chromium is
installed, docs/images/audit.png, the audit's page. Everything is drawn and trained in a temporary folder.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import selectors
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import NamedTuple

from PIL import Image

ROOT = Path(__file__).parents[1]
TUTORIAL, README, PICTURE = ROOT / "docs" / "tutorial.md", ROOT / "README.md", ROOT / "docs" / "images" / "audit.png"
COLUMNS, PAGE = 80, (860, 1670)
MOST_BYTES = 150_000
FENCE = re.compile(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document. language: the word after the fence; rest: what follows it; text: what is inside."""

    language: str
    rest: str
    text: str


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a Markdown document, in order."""
    return [Block(*match.groups()) for match in FENCE.finditer(document)]


def run_at_terminal(command: str, folder: Path) -> str:
    """What a shell command prints in a terminal of 80 columns; notes where they came, without progress bars."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    notes, errors = os.pipe()  # standard error is no terminal, so that nothing moves on it
    environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": str(COLUMNS)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    process = subprocess.Popen(
        command, shell=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=terminal, stderr=errors, env=environment
    )
    os.close(terminal)
    os.close(errors)
    printed = _read_both(master, notes)
    if process.wait():
        raise SystemExit(f"{command!r} ended with {process.returncode}:\n{printed}")
    return printed


def _read_both(*ends: int) -> str:
    """All that comes from several ends, in the order in which it comes."""
    pieces = []
    with selectors.DefaultSelector() as waiting:
        for end in ends:
            waiting.register(end, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                try:
                    piece = os.read(key.fd, 65536)
                except OSError:  # Linux says so when a terminal's other end is closed
                    piece = b""
                pieces.append(piece)
                if not piece:
                    waiting.unregister(key.fd)
                    os.close(key.fd)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def fill_tutorial(folder: Path) -> dict[str, str]:
    """Run the tutorial in a folder and fill its `text` blocks; what each command printed."""
    printed: dict[str, str] = {}

    def run(match: re.Match[str]) -> str:
        block = Block(*match.groups())
        if block.language == "sh":
            printed.update((command, run_at_terminal(command, folder)) for command in block.text.splitlines())
        elif block.language == "python":
            subprocess.run([sys.executable, "-c", block.text], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        elif block.language == "text":
            last = list(printed.values())[-1]
            return f"```text{block.rest}\n{shorten(last, int(block.rest.partition('=')[2]))}```"
        return match[0]

    TUTORIAL.write_text(FENCE.sub(run, TUTORIAL.read_text()))
    return printed


def shorten(text: str, most: int) -> str:
    """At most so many lines, without blanks at their ends; an ellipsis says that more follow."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(lines if len(lines) <= most else [*lines[:most], "…"]) + "\n"


def fill_readme(printed: str) -> None:
    """Put what `train` printed between the marks in the README."""
    pattern = r"(<!-- sample: .*? -->\n```text lines=(\d+)\n)(?:.*\n)*?(```\n<!-- end of sample -->)"
    document = README.read_text()
    found = re.search(pattern, document)
    assert found is not None, "README.md has lost its sample's marks"
    sample = found[1] + shorten(printed, int(found[2])) + found[3]
    README.write_text(document[: found.start()] + sample + document[found.end() :])


def photograph(page: Path) -> None:
    """The upper part of a page as a PNG of few colours, in few bytes."""
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        print("no Chromium: docs/images/audit.png stays as it is", file=sys.stderr)
        return
    shot = page.with_suffix(".png")
    width, height = PAGE
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]
    subprocess.run(
        [browser, *flags, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True, timeout=120
    )
    PICTURE.parent.mkdir(exist_ok=True)
    with Image.open(shot) as image:
        image.convert("RGB").quantize(96).save(PICTURE, optimize=True)
    assert PICTURE.stat().st_size < MOST_BYTES, f"{PICTURE.stat().st_size:,} bytes"


def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        printed = fill_tutorial(folder)
        fill_readme(next(text for command, text in printed.items() if command.startswith("headstart train")))
        photograph(folder / "audit.html")


if __name__ == "__main__":
    main()
