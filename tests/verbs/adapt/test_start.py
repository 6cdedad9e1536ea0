"""The start that docs/adapting.md shows runs as written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_document_s_start_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adapting.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "adapting.md", "exec"), {})
    first, last = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("True ")
    assert last in ("adapted", "unsure")
