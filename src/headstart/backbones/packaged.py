"""Names and place of the backbones that the wheel carries."""

from __future__ import annotations

from pathlib import Path

PACKAGED_FOLDER = Path(__file__).with_name("packaged")

PACKAGED = ("efficientnet_lite0", "efficientnet_lite2")

SHORT = {"lite0": "efficientnet_lite0", "lite2": "efficientnet_lite2"}
