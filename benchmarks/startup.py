"""How long a new process takes to its first answer, with OpenVINO and with ONNX Runtime.

    python benchmarks/startup.py MODEL IMAGE [--rounds 5] [--python openvino=/env/bin/python onnx=/env/bin/python]

Each way is a new process that opens MODEL and answers IMAGE; beside it, in the same run, a process that only imports
the engine. Without --python both engines run in this environment, ONNX Runtime with OpenVINO hidden; with it each named
interpreter runs `python -m headstart.runtime`, as where headstart-runtime is installed. The ways take turns; a cell is
the least of all rounds, in seconds: of the wall clock, and of all processors (user and system), which other work on the
machine moves less. `first` has an empty cache: OpenVINO compiles the networks, which it keeps for the next time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments, heading, machine, row

HIDE = "import headstart.device as d; was = d.installed; d.installed = lambda n: n != 'openvino' and was(n)\n"
ANSWER = "import sys, headstart.runtime; sys.exit(headstart.runtime.main([{model!r}, {image!r}]))"
Cost = tuple[float, float]
"""Seconds of the wall clock and of processors."""


def run(command: list[str], cache: str) -> Cost:
    """What one process costs; raises where it fails."""
    begun, before = time.perf_counter(), os.times()
    environment = {**os.environ, "HEADSTART_CACHE": cache}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    seconds, after = time.perf_counter() - begun, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def ways(options: object) -> dict[str, list[str]]:
    """What is measured, by its name."""
    model, image = str(options.model), str(options.image)  # type: ignore[attr-defined]
    found: dict[str, list[str]] = {}
    given = dict(pair.split("=", 1) for pair in options.python)  # type: ignore[attr-defined]
    for name, package in (("openvino", "openvino"), ("onnx", "onnxruntime")):
        if given and name not in given:
            continue
        python = given.get(name, sys.executable)
        found[f"import {package} alone"] = [python, "-c", f"import {package}"]
        if given:
            found[f"answer, {package}"] = [python, "-m", "headstart.runtime", model, image]
        else:
            code = (HIDE if name == "onnx" else "") + ANSWER.format(model=model, image=image)
            found[f"answer, {package}"] = [python, "-c", code]
    return found


def main() -> None:
    """Measure and print one table."""
    parser = arguments(__doc__, data=None)
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", nargs="*", default=[], metavar="ENGINE=PYTHON")
    options = parser.parse_args()
    measured = ways(options)
    with tempfile.TemporaryDirectory() as cache:
        first = {name: run(command, str(Path(cache) / name)) for name, command in measured.items()}
        costs: dict[str, list[Cost]] = {name: [] for name in measured}
        for _ in range(options.rounds):
            for name, command in measured.items():
                costs[name].append(run(command, str(Path(cache) / name)))
    print(f"{machine()}; {options.rounds} rounds\n")
    print(heading("a new process", "first: wall, processors", "later: wall, processors"))
    for name in measured:
        wall, used = (min(values) for values in zip(*costs[name], strict=True))
        print(row(name, f"{first[name][0]:.2f}, {first[name][1]:.2f}", f"{wall:.2f}, {used:.2f}"))


if __name__ == "__main__":
    main()
