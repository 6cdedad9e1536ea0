"""Make a table of texts to try: sentences from the documentation strings of Python's standard library.

    python scripts/make_demo_texts.py FILE.csv

The class of a sentence is the subject of the package that it is of. The texts are those of the Python that runs this
(PSF licence); nothing is fetched.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SUBJECTS = {
    "async": ("asyncio",),
    "email": ("email", "mailbox.py", "smtplib.py"),
    "files": ("pathlib.py", "pathlib", "shutil.py", "tempfile.py", "zipfile", "zipfile.py", "tarfile.py", "glob.py"),
    "numbers": ("_pydecimal.py", "fractions.py", "statistics.py", "random.py", "numbers.py"),
    "processes": ("multiprocessing", "subprocess.py", "concurrent"),
    "testing": ("unittest", "doctest.py"),
    "web": ("http", "urllib", "html", "socketserver.py"),
}
_SHORTEST, _LONGEST, _MOST = 6, 60, 150
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def sentences(path: Path) -> Iterator[str]:
    """The sentences of prose in a module's documentation strings; examples and signatures are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                if ">>>" in paragraph or "::" in paragraph or "  " in paragraph.strip():
                    continue
                for sentence in _SENTENCE.split(" ".join(paragraph.split())):
                    if _SHORTEST <= len(sentence.split()) <= _LONGEST and sentence[0].isupper():
                        yield sentence


def rows() -> Iterator[tuple[str, str]]:
    """Every text with its class, each text once, at most 150 of a class."""
    library = Path(sysconfig.get_path("stdlib"))
    for subject, places in SUBJECTS.items():
        files = [
            file
            for place in places
            for file in (sorted((library / place).rglob("*.py")) if (library / place).is_dir() else [library / place])
            if file.is_file() and "test" not in file.parts and "tests" not in file.parts
        ]
        texts = list(dict.fromkeys(sentence for file in files for sentence in sentences(file)))
        step = max(1, len(texts) // _MOST)
        yield from ((text, subject) for text in texts[::step][:_MOST])


def main(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "subject"))
        writer.writerows(rows())
    print(f"{place}: sentences from the documentation of Python's standard library (PSF licence)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
