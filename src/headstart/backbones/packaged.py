"""The backbones that come with Headstart, and with its text distribution: their names, short names and folders."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from headstart.errors import MissingExtra

PACKAGED_FOLDER = Path(__file__).with_name("packaged")

PACKAGED = ("efficientnet_lite0", "efficientnet_lite2")
TEXTS = ("minilm_l6",)
"""Encoders of texts, in the distribution headstart-text."""

SHORT = {"lite0": "efficientnet_lite0", "lite2": "efficientnet_lite2", "minilm": "minilm_l6"}
_TEXT_PACKAGE = "headstart_text"


def text_folder() -> Path:
    """Where the text encoders lie; raises `MissingExtra` where the extra `text` is not installed."""
    package = find_spec(_TEXT_PACKAGE)
    if package is None or package.origin is None:
        raise MissingExtra("Reading texts", "text", "headstart-text")
    return Path(package.origin).parent


def is_packaged(folder: Path) -> bool:
    """Whether a folder is one of those that were installed."""
    package = find_spec(_TEXT_PACKAGE)
    return folder == PACKAGED_FOLDER or (
        package is not None and package.origin is not None and folder == Path(package.origin).parent
    )
