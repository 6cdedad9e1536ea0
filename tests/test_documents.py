"""What the documents and docstrings claim runs as written."""

import ast
import csv
import doctest
import importlib
import importlib.util
import inspect
import json
import operator
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import pytest
from tests.conftest import headstart as command_line

import headstart

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "headstart"
MODULES = [
    "headstart." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>>" in path.read_text()
]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def script(name: str) -> ModuleType:
    """A file of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_a_document_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        linked = path.parent / target if target else path
        assert linked.exists(), target
        assert not heading or heading in anchors(linked.read_text()), heading
    for image in re.findall(r'<img src="([^"]+)"', text):
        assert (path.parent / image).exists(), image


def anchors(markdown: str) -> set[str]:
    """The names by which a document's headings are linked to."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text() + (ROOT / "docs" / "evidence" / "index.md").read_text()
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", index))
    documents = {path.name for path in (ROOT / "docs").rglob("*.md")}
    assert documents - {Path(target).name for target in linked} == set()


def test_the_reference_is_what_the_program_says() -> None:
    assert command_line("--help").stdout.strip() in (ROOT / "docs" / "reference" / "cli.md").read_text()
    # A process of its own: click keeps the help option that a command was first asked for; other tests ask without -h.
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_environment_variable_is_in_the_index() -> None:
    read = {name for path in SOURCE.rglob("*.py") for name in re.findall(r'"(HEADSTART_\w+)"', path.read_text())}
    assert read == set(re.findall(r"`(HEADSTART_\w+)`", (ROOT / "docs" / "index.md").read_text()))


def test_the_glossary_is_in_order_and_explains_a_word_once() -> None:
    words = re.findall(r"^\*\*(.+?)\*\* — ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert words == sorted(set(words), key=str.lower)
    assert {"Backbone", "Guarantee", "Label shift", "Out-of-fold prediction"} <= set(words)


def test_the_tutorial_leads_from_images_to_a_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in script("make_samples").blocks((ROOT / "docs" / "tutorial.md").read_text()):
        if block.language == "sh":
            for line in block.text.splitlines():
                run_line(line, tmp_path)
        elif block.language == "python":
            exec(compile(block.text, "tutorial.md", "exec"), names)
    with (tmp_path / "plan.csv").open(newline="") as file:
        excluded = {line["path"] for line in csv.DictReader(file) if line["action"] == "exclude"}
    assert excluded == {"port-scan/00000.jpg", "web-proxy/saved-twice.jpg", "packet-capture/misfiled.jpg"}
    unseen = {str(path.relative_to(tmp_path)) for path in (tmp_path / "later" / "unseen").iterdir()}
    assert {names["for_a_person"].get(name) for name in unseen} == {"novel"}
    assert len(names["accepted"]) > 40
    assert "office" in headstart.load("model-2").classes


def run_line(line: str, folder: Path) -> None:
    """Run a line of a shell block: `headstart` in this process, `cp`, `mv`, `mkdir` and the one `sed` by hand."""
    words, _, redirected = line.partition(" > ")
    name, *arguments = shlex.split(words)
    if name == "headstart":
        done = command_line(*arguments, cwd=folder)
        assert done.returncode == 0, done
        if redirected:
            (folder / redirected).write_text(done.stdout)
    elif name == "sed":  # one that every system has: s/old/new/ in the lines that hold a word
        word, old, new = re.fullmatch(r"/(\w+)/s/(.+)/(.+)/", arguments[1]).groups()  # type: ignore[union-attr]
        lines = (folder / arguments[2]).read_text().splitlines(keepends=True)
        (folder / arguments[2]).write_text("".join(text.replace(old, new) if word in text else text for text in lines))
    elif name == "mkdir":
        (folder / arguments[0]).mkdir()
    else:
        source, target = (folder / argument for argument in arguments[-2:])
        assert name in ("cp", "mv")
        (shutil.move if name == "mv" else shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def test_the_public_names_are_these() -> None:
    assert headstart.__all__ == [
        *("Options", "Predictor", "Recipe", "TransferClassifier", "__version__"),
        *(
            "adapt",
            "advise",
            "audit",
            "depth",
            "drift",
            "embeddings",
            "evaluate",
            "explain",
            "export",
            "extend",
            "forgetting",
            "learning_curve",
            "load",
        ),
        *("predict", "predict_list", "rank", "robustness", "shift", "train", "verify", "write_report"),
    ]
    for name in headstart.__all__:
        assert getattr(headstart, name) is not None
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'fit'; it has Options"):
        _ = headstart.fit  # type: ignore[attr-defined]


def test_every_key_of_the_manifest_is_explained(saved_model: Path) -> None:
    keys = set(json.loads((saved_model / "manifest.json").read_text()))
    assert keys - set(re.findall(r"`(\w+)`", (ROOT / "docs" / "bundle.md").read_text())) == set()


def test_the_readme_s_table_names_every_verb_once() -> None:
    from headstart.cli.main import VERBS

    rows = re.findall(r"^\|[^|]*\|([^|]+)\|", (ROOT / "README.md").read_text(), re.MULTILINE)
    verbs = [verb for row in rows for verb in re.findall(r"`(\w+)`", row)]
    assert sorted(verbs) == sorted(VERBS)


def options_of_verbs() -> dict[str, set[str]]:
    """Every verb's options as they are written on the command line."""
    from headstart.cli.main import VERBS
    from headstart.cli.main import headstart as group

    options = {}
    for verb in VERBS:
        command = group.get_command(click.Context(group), verb)
        assert command is not None
        options[verb] = {"--help", *(name for p in command.params for name in (*p.opts, *p.secondary_opts))}
    return options


def test_every_option_that_a_document_names_exists() -> None:
    options = options_of_verbs()
    everywhere = set.union(*options.values(), ELSEWHERE)
    for path in DOCUMENTS:
        if path.parent.name == "reference" or path.name == "CHANGELOG.md":  # made from the program; what once was
            continue
        text = path.read_text()
        for verb, rest in re.findall(r"headstart ([a-z]+)( [^`\n|#]*)", text):
            named = set(re.findall(r"(?<=\s)--[a-z][a-z0-9-]*", rest))
            assert named <= options.get(verb, named), f"{path.name}: headstart {verb} {named}"
        code = " ".join(re.findall(r"`([^`\n]+)`", text))
        named = set(re.findall(r"(?:^|\s)(--[a-z][a-z0-9-]+)", code))
        assert path.parent.name == "evidence" or named <= everywhere, f"{path.name}: {named - everywhere}"


ELSEWHERE = {"--dist", "--check", "--probe", "--parts", "--self-test", "--read-only", "--network"}
"""Options of pytest, of our scripts and benchmarks, of the runtime and of Docker."""


def test_the_python_of_the_novelty_document_runs() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    X = (rng.normal(size=(60, 8)) + 4 * np.eye(8)[labels]).astype(np.float32)
    names: dict[str, Any] = {"X": X, "labels": labels, "groups": np.arange(60), "new": X[:20] + np.float32(20)}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "novelty.md").read_text(), re.DOTALL):
        exec(compile(block, "novelty.md", "exec"), names)
    assert names["novel"].all()
    assert names["result"].drifted


def test_the_python_of_the_trust_document_runs(saved_model: Path, cells: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "trust.md").read_text(), re.DOTALL)
    image = next((cells / "defective").iterdir())
    names: dict[str, Any] = {}
    block = block.replace('"model/"', repr(str(saved_model))).replace('"photos/cat/cat-1.png"', repr(str(image)))
    exec(compile(block, "trust.md", "exec"), names)
    assert names["decisions"].words == ("review",)


PUBLIC = [name for name in headstart.__all__ if not name.startswith("_")]
METHODS = ["Predictor.predict", "Predictor.decide", "Predictor.triage", "Predictor.sets"]


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_every_parameter_of_a_public_name_has_its_line(name: str) -> None:
    thing = operator.attrgetter(name)(headstart)
    sections = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    lines = re.findall(
        r"^(\w+(?:, \w+)*) : .+\n    \S", texts.get("Parameters", texts.get("Attributes", "")), re.MULTILINE
    )
    documented = {parameter for line in lines for parameter in line.split(", ")}
    parameters = set(inspect.signature(thing).parameters) - {"self"}
    assert parameters <= documented, sorted(parameters - documented)
    if name in PUBLIC:
        assert "Examples" in texts
    if inspect.isfunction(thing):
        assert "Raises" in texts


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
