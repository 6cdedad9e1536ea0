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


def test_the_help_of_all_loads_click_and_five_small_files() -> None:
    code = PRINT_LOADED.replace('if "." not in name', "")
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.partition("loaded:")[2].split())
    ours = {name.removeprefix("headstart.") for name in loaded if name.split(".")[0] == "headstart"}
    assert ours == {"headstart", "_version", "checks", "cli", "cli.main", "errors"}
    assert loaded.isdisjoint({"dataclasses", "difflib", "json"})  # a hundredth of a second each on a small machine


def test_the_package_s_front_loads_nothing_heavy() -> None:
    code = "import sys, headstart; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()) & HEAVY) == []
