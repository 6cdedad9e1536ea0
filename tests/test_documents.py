"""What the documents and docstrings claim runs as written."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import headstart

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "headstart"
MODULES = [
    "headstart." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>>" in path.read_text()
]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_docstring_examples_run() -> None:
    results = {
        name: doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
        for name in MODULES
    }
    assert {name: result for name, result in results.items() if result.failed or not result.attempted} == {}


def test_the_readme_s_python_runs(cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        folder = tmp_path / "photos" / name
        folder.mkdir()
        source = cells / ("defective" if name == "cat" else "functional")
        for i, file in enumerate(sorted(source.iterdir())[:12], 1):
            (folder / f"{name}-{i}.png").write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "model" / "manifest.json").is_file()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_in_a_document_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_public_names_are_these() -> None:
    assert headstart.__all__ == [
        *("Options", "Predictor", "Recipe", "TransferClassifier", "__version__"),
        *(
            "advise",
            "audit",
            "depth",
            "drift",
            "embeddings",
            "evaluate",
            "extend",
            "forgetting",
            "learning_curve",
            "load",
        ),
        *("predict", "rank", "train", "write_report"),
    ]
    for name in headstart.__all__:
        assert getattr(headstart, name) is not None
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'fit'; it has Options"):
        _ = headstart.fit  # type: ignore[attr-defined]
