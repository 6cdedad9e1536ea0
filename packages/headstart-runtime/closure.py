"""Which files of Headstart the runtime holds: the modules that predicting imports, and the packaged networks.

The list is computed from the import statements, those inside functions too, whenever the distribution is built; so it
can neither lag behind the source nor lack a module. Runs nothing of Headstart.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOTS = ("headstart", "headstart.runtime")
LEFT_OUT = ("headstart.backbones.conversion", "headstart.embed.torch_engine")
"""Imported only to convert a network or to run it in torch; where they are missing, a sentence says so."""
DATA = ("py.typed", "backbones/packaged/*.onnx", "backbones/packaged/*.json")


def runtime_files(source: Path) -> list[Path]:
    """Files of the runtime, relative to `source`, the folder of the package headstart."""
    modules = {_name(path.relative_to(source)): path.relative_to(source) for path in sorted(source.rglob("*.py"))}
    reached: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name in reached or any(f"{name}.".startswith(f"{other}.") for other in LEFT_OUT):
            continue
        reached.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += filter(None, (_module(word, modules) for word in _imports(source / modules[name])))
    data = [path.relative_to(source) for pattern in DATA for path in sorted(source.glob(pattern))]
    return sorted(modules[name] for name in reached) + data


def _name(path: Path) -> str:
    parts = ("headstart", *path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(word: str, modules: dict[str, Path]) -> str | None:
    """The module that an import names: `headstart.errors.UserError` is of `headstart.errors`."""
    while word and word not in modules:
        word = word.rpartition(".")[0]
    return word or None


def _imports(path: Path) -> Iterator[str]:
    """Dotted words of all import statements, but those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
