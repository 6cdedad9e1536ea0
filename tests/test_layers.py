"""The rooms import only what lies below them, and the core never imports the heavy stack."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "headstart"

LEVELS = (
    {"errors", "fingerprint", "checks", "device", "progress", "folders", "files"},
    {"records", "metrics"},
    {"data"},
    {"backbones"},
    {"embed", "heads", "finetune"},
    {"adapt", "trust"},
    {"choose", "bundle", "runtime", "loading", "export"},
    {"tasks", "report", "explain"},
    {"serve"},
    {"cli"},
)
# Inside a level a room may import these neighbours.
BESIDE = {
    "errors": set(),
    "fingerprint": set(),
    "checks": {"errors"},
    "device": {"errors"},
    "progress": set(),
    "folders": {"errors"},
    "files": set(),
    "loading": {"bundle", "runtime"},
    "metrics": {"records"},
    "finetune": {"embed", "heads"},
    "tasks": {"report"},
}
TORCH = {"torch", "torchvision", "timm", "onnx", "peft"}
HEAVY = TORCH | {"pyarrow", "datasets", "pandas"}  # scikit-learn itself loads the last three where they are installed


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Every module named in an import statement, with whether the statement runs at import time."""
    tree = ast.parse(path.read_text())
    inner = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    checking = {
        n
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and ast.unparse(i.test) == "TYPE_CHECKING"
        for n in ast.walk(i)
    }
    found = []
    for node in ast.walk(tree):
        at_import = node not in inner and node not in checking
        if isinstance(node, ast.Import):
            found += [(alias.name, at_import) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module or "", at_import))
    return found


MODULES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.stem not in ("__init__", "__main__"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_lower_rooms(path: Path) -> None:
    room = room_of(path)
    level = next(i for i, rooms in enumerate(LEVELS) if room in rooms)
    allowed = {r for rooms in LEVELS[:level] for r in rooms} | {room} | BESIDE.get(room, set())
    for module, _ in imports_of(path):
        parts = module.split(".")
        if parts[0] == "headstart" and len(parts) > 1:
            assert parts[1] in allowed, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_module_imports_the_heavy_stack_when_it_is_loaded(path: Path) -> None:
    at_import = {module.split(".")[0] for module, now in imports_of(path) if now}
    assert not at_import & HEAVY


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_has_one_idea_and_says_it(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    assert ast.get_docstring(ast.parse(text)), "a module opens by saying what it does"


def test_the_core_rooms_load_without_torch() -> None:
    names = [
        "headstart." + ".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in MODULES if p.stem != "__init__"
    ]
    code = (
        f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
        f"print(sorted({TORCH!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
