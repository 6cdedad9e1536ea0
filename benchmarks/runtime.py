"""How fast one image is answered: torch eager, ONNX Runtime and OpenVINO on the same model in one run.

    python benchmarks/runtime.py [--set trashnet] [--backbone lite0] [--seconds 6] [--rounds 3]

A model (`ridge` on the backbone) is trained and exported. Images that are decoded already are then answered in batches
of 1, 8 and 32: by the backbone in torch as timm builds it (`torch.inference_mode`, its own classifier in the head's
place, which costs the same), by the exported graph behind its resampling in ONNX Runtime and in OpenVINO, by
Headstart's own engine, one image a request, and by the whole exported graph, which resamples the image as well. The
ways take turns, `--rounds` times; a cell is images/s, then the 50th and 99th percentile of a call in milliseconds.
Start-up is a new process from its first import to its first answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import headstart
from common import arguments, heading, machine, row, samples_of
from headstart.device import threads
from headstart.model.export.graph import build_graph, core_graph
from headstart.model.export.runtimes import ONNXRUNTIME, OPENVINO, open_runtime
from headstart.model.load import load_model

BATCHES = (1, 8, 32)
Call = Callable[[np.ndarray[Any, Any]], object]
"""Squares (n, size, size, 3) → an answer for each."""
START = {
    "torch eager": "import timm, torch; n = timm.create_model('tf_efficientnet_lite0').eval()\n"
    "with torch.inference_mode(): n(torch.zeros(1, 3, 224, 224))",
    ONNXRUNTIME: "import numpy, onnxruntime; s = onnxruntime.InferenceSession({path!r})\n"
    "s.run(None, {{'image': numpy.zeros((1, 300, 300, 3), 'uint8')}})",
    "headstart.predict": "import headstart, numpy; m = headstart.load({model!r})\n"
    "m.predict([numpy.zeros((300, 300, 3), 'uint8')])",
}


def torch_eager(name: str) -> Call:
    """The backbone in torch, as it comes."""
    import torch

    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.opening import open_backbone

    torch.set_num_threads(threads())
    backbone = open_backbone(name)
    network = build_network(backbone).eval()
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (backbone.spec.mean, backbone.spec.std))

    def call(squares: np.ndarray[Any, Any]) -> object:
        with torch.inference_mode():
            pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).float()
            return network((pixels - mean) / std)

    return call


def engine(name: str) -> Call:
    """Headstart's own engine: as many requests as images, by its threads."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.openvino_engine import OpenVINOEngine

    runner = OpenVINOEngine(open_backbone(name), precision="f32")
    pool = ThreadPoolExecutor(threads())

    def call(squares: np.ndarray[Any, Any]) -> object:
        if len(squares) == 1:
            return runner.run(squares, 1)
        return list(pool.map(lambda i: runner.run(squares[i : i + 1], 1), range(len(squares))))

    return call


def measure(call: Call, squares: np.ndarray[Any, Any], seconds: float) -> list[float]:
    """Seconds that calls took, one after the other, after two that do not count."""
    taken: list[float] = []
    for _ in range(2):
        call(squares)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 3:
        begun = time.perf_counter()
        call(squares)
        taken.append(time.perf_counter() - begun)
    return taken


def start_up(code: str) -> float:
    """Seconds of a new process, the better of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, env={**os.environ}
        )
        times.append(time.perf_counter() - begun)
    return min(times)


def main() -> None:
    """Measure and print two tables."""
    parser = arguments(__doc__)
    parser.add_argument("--set", default="trashnet")
    parser.add_argument("--backbone", default="lite0")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a cell, over all rounds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    samples = samples_of(options.set, options.data)
    labels = [samples.classes[label] for label in samples.labels]
    with tempfile.TemporaryDirectory() as folder:
        model, path = Path(folder) / "model", Path(folder) / "model.onnx"
        chosen = headstart.Options(backbones=(options.backbone,), heads=("ridge",))
        headstart.train(list(samples.items), labels, options=chosen).save(model)
        headstart.export(model, path)
        predictor = load_model(model)
        core = core_graph(build_graph(predictor)).model.SerializeToString()
        images = list(samples.items[:: max(1, len(samples) // 32)])[:32]
        squares = np.stack([predictor.parts[0].backbone.spec.load(image) for image in images])
        ways: dict[str, Call] = {"torch eager": torch_eager(options.backbone)}
        for runtime in (ONNXRUNTIME, OPENVINO):
            run = open_runtime(runtime, core)
            ways[runtime] = lambda batch, run=run: run({"squares": batch})
        ways["Headstart's engine"] = engine(options.backbone)
        whole = open_runtime(ONNXRUNTIME, path)
        ways[f"{ONNXRUNTIME}, resampling too"] = lambda batch: whole({"image": batch})
        taken: dict[tuple[str, int], list[float]] = {(way, n): [] for way in ways for n in BATCHES}
        for _ in range(options.rounds):
            for way, call in ways.items():
                for n in BATCHES:
                    taken[way, n] += measure(call, squares[:n], options.seconds / options.rounds)
        print(f"{options.backbone}, {machine()}\n")
        print(heading("way", *(f"batch {n}: images/s, p50 / p99 ms" for n in BATCHES)))
        for way in ways:
            print(row(way, *(cell(taken[way, n], n) for n in BATCHES)))
        print(f"\nmodel.onnx {path.stat().st_size / 1e6:.1f} MB; bundle {size_of(model):.1f} MB\n")
        print(heading("start-up", "seconds"))
        for way, code in START.items():
            print(row(way, f"{start_up(code.format(path=str(path), model=str(model))):.2f}"))


def cell(taken: list[float], n: int) -> str:
    """Images a second by the median call, and its percentiles."""
    middle, late = np.percentile(taken, [50, 99])
    return f"{n / middle:.0f}, {1e3 * middle:.1f} / {1e3 * late:.1f}"


def size_of(folder: Path) -> float:
    """Megabytes of a folder."""
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


if __name__ == "__main__":
    main()
