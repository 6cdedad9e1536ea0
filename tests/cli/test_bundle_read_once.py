"""A command reads and checks a bundle, which hashes all of its files, once."""

from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner

from headstart.cli import drift, evaluate, extend, forgetting, info, predict
from headstart.model import bundle


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that `read_bundle` is called with."""
    folders: list[Path] = []
    read_bundle = bundle.read_bundle

    def counted(folder: Path) -> bundle.Bundle:
        folders.append(folder)
        return read_bundle(folder)

    monkeypatch.setattr(bundle, "read_bundle", counted)
    return folders


@pytest.mark.parametrize(
    ("command", "images"),
    [
        (drift.command, ["closer"]),
        (evaluate.command, ["train"]),
        (forgetting.command, ["closer"]),
        (info.command, []),
        (predict.command, ["closer"]),
    ],
    ids=["drift", "evaluate", "forgetting", "info", "predict"],
)
def test_a_bundle_is_read_once(command: Command, images: list[str], watched: Path, reads: list[Path]) -> None:
    model = watched / "model"
    done = CliRunner().invoke(command, [str(model), *(str(watched / name) for name in images)])
    assert done.exit_code == 0, done.output
    assert reads == [model]


def test_the_model_that_is_extended_is_read_once(watched: Path, reads: list[Path], tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "corner").symlink_to(watched / "closer")
    words = [str(watched / "model"), str(tmp_path / "new"), "-o", str(tmp_path / "extended")]
    done = CliRunner().invoke(extend.command, words)
    assert done.exit_code == 0, done.output
    assert reads == [watched / "model"]
