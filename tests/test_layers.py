"""The house stands: rooms import only lower rooms, no two modules import each other, the core loads without torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "headstart"

LEVELS = (
    {"_version", "errors", "checks", "fingerprint", "device", "progress", "layout", "nouns"},
    {"records", "storage", "metrics"},
    {"data", "demo"},
    {"backbones"},
    {"embed", "heads", "finetune"},
    {"trust", "adaptation"},
    {"tasks", "choose"},
    {"model", "pipeline", "cluster"},
    {"verbs"},
    {"report", "serve"},
    {"cli", "runtime"},
)
# Inside a level a room may import these neighbours.
BESIDE = {
    "checks": {"errors"},
    "device": {"errors"},
    "progress": {"layout"},
    "storage": {"records"},
    "metrics": {"records"},
    "demo": {"data"},
    "finetune": {"embed", "heads"},
    "adaptation": {"trust"},
    "choose": {"tasks"},
    "pipeline": {"model", "cluster"},
    "serve": {"report"},
}
TORCH = {"torch", "torchvision", "timm", "onnx", "onnxruntime", "peft"}
HEAVY = TORCH | {"pyarrow", "datasets", "pandas"}  # scikit-learn itself loads the last three where they are installed
MOST_LINES = 350


def name_of(path: Path) -> str:
    """`data.splits`, say."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


MODULES = {name_of(p): p for p in sorted(SOURCE.rglob("*.py")) if p.stem not in ("__init__", "__main__")}


@cache
def imports_of(name: str) -> tuple[tuple[str, bool], ...]:
    """Every module named in an import statement, with whether the statement runs when the module is loaded."""
    tree = ast.parse(MODULES[name].read_text())
    inner = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    checking = {
        n
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and ast.unparse(i.test) == "TYPE_CHECKING"
        for n in ast.walk(i)
    }
    found = []
    for node in ast.walk(tree):
        at_load = node not in inner and node not in checking
        if isinstance(node, ast.Import):
            found += [(alias.name, at_load) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found += [(f"{node.module}.{alias.name}", at_load) for alias in node.names]
    return tuple(found)


def neighbours(name: str) -> Iterator[str]:
    """The modules of Headstart that a module names, lazily or for types alone, too."""
    for imported, _ in imports_of(name):
        if imported.startswith("headstart."):
            path = imported.removeprefix("headstart.")
            yield path if path in MODULES else path.rpartition(".")[0]


def test_a_room_imports_only_lower_rooms() -> None:
    def room(name: str) -> str:
        return name.partition(".")[0]

    def allowed(name: str) -> set[str]:
        level = next(i for i, rooms in enumerate(LEVELS) if room(name) in rooms)
        return {r for rooms in LEVELS[:level] for r in rooms} | {room(name)} | BESIDE.get(room(name), set())

    offenders = [
        f"{name} imports {other or 'the front of the package'}"
        for name in MODULES
        for other in neighbours(name)
        if room(other) not in allowed(name)
    ]
    assert sorted(set(offenders)) == []


def test_no_two_modules_import_each_other_not_even_for_types() -> None:
    reached: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            for other in neighbours(waiting.pop()):
                if other in MODULES and other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen

    for name in MODULES:
        reached[name] = reach(name)
    cycles = {frozenset({name, *(o for o in reached[name] if name in reached[o])}) for name in MODULES}
    assert sorted(sorted(cycle) for cycle in cycles if len(cycle) > 1) == []


def test_no_module_loads_the_heavy_stack_by_itself() -> None:
    offenders = [
        f"{name} imports {module}"
        for name in MODULES
        for module, at_load in imports_of(name)
        if at_load and module.split(".")[0] in HEAVY
    ]
    assert offenders == []


def test_a_file_has_one_idea_and_says_it() -> None:
    files = {p.relative_to(SOURCE): p.read_text() for p in SOURCE.rglob("*.py")}
    assert [str(path) for path, text in files.items() if len(text.splitlines()) > MOST_LINES] == []
    assert [str(path) for path, text in files.items() if not ast.get_docstring(ast.parse(text))] == []


def test_the_core_rooms_load_without_torch() -> None:
    names = [f"headstart.{name}" for name in MODULES]
    code = (
        f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
        f"print(sorted({TORCH!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
