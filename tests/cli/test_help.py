"""Help is quick because it loads nothing that computes or draws."""

import subprocess
import sys

import pytest

from headstart.cli import main

HEAVY = {
    *("numpy", "scipy", "sklearn", "PIL", "openvino", "safetensors", "sqlite3", "rich", "jinja2", "markupsafe"),
    *("torch", "torchvision", "timm", "onnx", "peft", "pandas", "pyarrow", "datasets", "cleanlab"),
}
PRINT_LOADED = """
import sys
from headstart.cli.main import main
sys.argv[:] = ["headstart", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted(name for name in sys.modules if "." not in name), file=sys.stderr)
"""


def modules_loaded_by(*words: str) -> set[str]:
    command = [sys.executable, "-c", PRINT_LOADED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    return set(done.stderr.partition("loaded:")[2].split())


@pytest.mark.parametrize("words", [("--help",), *((verb, "--help") for verb in main.VERBS)], ids=" ".join)
def test_help_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    loaded = modules_loaded_by(*words)
    assert "click" in loaded
    assert sorted(loaded & HEAVY) == []


def test_the_package_s_front_loads_nothing_heavy() -> None:
    code = "import sys, headstart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()) & HEAVY) == []
