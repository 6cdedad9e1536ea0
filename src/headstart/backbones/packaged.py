"""The backbones that come with Headstart: their names, short names and folder."""

from __future__ import annotations

from pathlib import Path

PACKAGED_FOLDER = Path(__file__).with_name("packaged")

PACKAGED = ("efficientnet_lite0", "efficientnet_lite2")

SHORT = {"lite0": "efficientnet_lite0", "lite2": "efficientnet_lite2"}
