"""What the documents and docstrings claim runs as written."""

import ast
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


FOREIGN = {
    *("build", "choose", "DatasetDict", "ImageFolder", "LogisticRegressionCV", "MLPClassifier", "Pipeline"),
    *("RidgeClassifierCV", "datasets", "n02085620", "n_features_in_", "with"),
}
"""Names that documents quote and that Headstart does not define: libraries', Python's, a folder's."""


def _names_in_the_code() -> set[str]:
    """Every name that the code defines or uses, and its short strings (options, kinds, columns)."""
    names: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ClassDef(name=word) | ast.FunctionDef(name=word) | ast.alias(name=word):
                    names.add(word)
                case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.keyword(arg=str(word)):
                    names.add(word)
                case ast.Constant(value=str(word)) if len(word) < 40:
                    names.add(word)
    return names


def _back_quoted(path: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", path.read_text()))


def test_a_name_in_back_quotes_is_in_the_code() -> None:
    """In docstrings every identifier; in documents those in capitals, for small words may be of a shell or a column."""
    known = _names_in_the_code() | FOREIGN
    absent = [
        (str(path.relative_to(ROOT)), word)
        for path, pattern in (
            *((path, r"_?[A-Za-z]\w*") for path in sorted(SOURCE.rglob("*.py"))),
            *((path, r"[A-Z]\w*[a-z]\w*") for path in DOCUMENTS),
        )
        for word in sorted(_back_quoted(path))
        if re.fullmatch(pattern, word) and word not in known
    ]
    assert absent == []


def test_a_module_in_back_quotes_is_there() -> None:
    modules = {".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")}
    modules |= {".".join(path.relative_to(SOURCE).parts) for path in SOURCE.rglob("*") if path.is_dir()}
    rooms, names = {module.split(".")[0] for module in modules} - {""}, _names_in_the_code()
    absent = []
    for path in (*sorted(SOURCE.rglob("*.py")), *DOCUMENTS):
        for word in sorted(_back_quoted(path)):
            dotted = re.fullmatch(r"(?:headstart\.)?((\w+)(?:\.\w+)+)", word)
            if dotted is None or dotted[2] not in rooms or word.endswith((".py", ".safetensors", ".csv")):
                continue
            place, _, name = dotted[1].rpartition(".")
            if dotted[1] not in modules and not (place in modules and name in names):
                absent.append((str(path.relative_to(ROOT)), word))
    assert absent == []
