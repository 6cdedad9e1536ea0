"""Paths that are no paths of this machine: web addresses, and paths of a Windows computer on another system.

`check_place` refuses them in one sentence, before anything looks for them.
"""

from __future__ import annotations

import os
import re

from headstart.checks import printable
from headstart.errors import DataError

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf|az|abfss?)://?", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def check_place(path: str | bytes, where: str = "") -> None:
    """Raise `DataError` for a web address, and off Windows for a Windows path that is not there.

    where: what names the path, at the start of the message (`table.csv line 2`); empty for what was given itself.
    """
    text = os.fsdecode(path)
    where = f"{where}: " if where else ""
    if _ADDRESS.match(text) and not os.path.exists(text):
        text = re.sub("^([^:]+):/+", r"\1://", text)  # `Path` makes one stroke of two
        raise DataError(f"{where}{printable(text)} is a web address: download the images and give their paths.")
    if os.name != "nt" and _WINDOWS.match(text) and not os.path.exists(text):
        raise DataError(f"{where}{printable(text)} is a path of a Windows computer: write it as it is on this one.")
