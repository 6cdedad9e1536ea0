"""Puts the runtime's files into the wheel as the package headstart, and into the source distribution beside it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuntimeFiles(BuildHookInterface):
    """Names the files when a build begins."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to what is built."""
        root = Path(self.root)
        places = (root / "src" / "headstart", root.parents[1] / "src" / "headstart")  # unpacked, or in a checkout
        source = next(place for place in places if place.is_dir())
        folder = "headstart" if self.target_name == "wheel" else "src/headstart"
        files = runpy.run_path(str(root / "closure.py"))["runtime_files"](source)
        build_data["force_include"].update({str(source / file): f"{folder}/{file.as_posix()}" for file in files})
