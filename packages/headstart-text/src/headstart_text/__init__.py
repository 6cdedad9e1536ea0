"""The text encoder of Headstart: data, and where it lies."""

from pathlib import Path

FOLDER = Path(__file__).parent
