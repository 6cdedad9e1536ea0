"""Speed and memory of files → embeddings, against the plain way in the same run.

    python benchmarks/embed.py [--images N] [--large N] [--rounds R] [--only small,large,resnet50]
    python benchmarks/embed.py --memory [N]     peak memory of embedding N images (default 50,000)
    python benchmarks/embed.py --cache          the second run on the same images against the first
    python benchmarks/embed.py --probe          bf16 against f32 embeddings: 5-fold accuracy of a linear probe

The plain way: torchvision's ImageFolder, DataLoader(num_workers=2, batch_size=32), a timm network in eager mode, as a
tutorial writes it. Each way runs in a process of its own, in turns. `steady` counts from when the network is ready,
`total` from the start of the process (interpreter excluded). `engine` is the bare engine on one image that was loaded
once: what embedding would reach if loading cost nothing. The images are photographs (HEADSTART_TEST_DATA,
../shared/data, or elpv-dataset's solar cells) saved anew as JPEGs: about 230 pixels, and 12 megapixels with noise.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from common import DATA, arguments, machine

STARTED = time.perf_counter()
TARGETS = {"small": 15.0, "large": 6.0, "resnet50": 5.0}
NAMES = {
    "small": "lite0, 230-pixel JPEGs",
    "large": "lite0, 12-megapixel JPEGs",
    "resnet50": "resnet50 (random weights), 230-pixel JPEGs",
}
BACKBONES = {"small": "lite0", "large": "lite0", "resnet50": "random:resnet50"}
SMALL, LARGE = 230, (4000, 3000)


def photographs() -> list[Path]:
    """Real photographs to make the sets from."""
    for folder in (DATA / "pacs" / "photo", DATA / "trashnet"):
        if found := sorted(folder.rglob("*.jpg")):
            return found
    package = find_spec("elpv_dataset")
    if package is None or package.origin is None:
        sys.exit("no photographs: set HEADSTART_TEST_DATA, or pip install elpv-dataset.")
    return sorted((Path(package.origin).parent / "data").rglob("*.png"))


def make_set(folder: Path, count: int, *, large: bool) -> None:
    """Save photographs as distinct JPEGs in one class folder."""
    (folder / "class").mkdir(parents=True)
    sources, generator = photographs(), np.random.default_rng(0)
    for i in range(count):
        with Image.open(sources[i % len(sources)]) as image:
            photograph = image.convert("RGB")
        if large:
            grown = np.asarray(photograph.resize(LARGE, Image.Resampling.BICUBIC), np.int16)
            noise = generator.integers(-12, 13, (LARGE[1], LARGE[0], 1), dtype=np.int16)
            photograph = Image.fromarray(np.clip(grown + noise, 0, 255).astype(np.uint8))
        else:
            scale = SMALL / min(photograph.size)
            photograph = photograph.resize((round(photograph.width * scale), round(photograph.height * scale)))
        photograph.save(folder / "class" / f"{i:05}.jpg", quality=92, comment=str(i).encode())


def plain(folder: Path, case: str) -> dict[str, float]:
    """The tutorials' way."""
    import timm
    import torch
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    if case == "resnet50":
        network, mean, std = timm.create_model("resnet50", pretrained=False).eval(), 0.5, 0.5
    else:
        from headstart.backbones.conversion.convert import build_network as network_of
        from headstart.backbones.opening import open_backbone

        network, mean, std = network_of(open_backbone("lite0")), 127 / 255, 128 / 255
    steps = [
        transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([mean] * 3, [std] * 3),
    ]
    images = ImageFolder(str(folder), transforms.Compose(steps))
    loader = DataLoader(images, batch_size=32, num_workers=2)
    ready = time.perf_counter()
    with torch.no_grad():
        rows = [network.forward_head(network.forward_features(x), pre_logits=True).numpy() for x, _ in loader]
    return timed(sum(map(len, rows)), ready)


def ours(folder: Path, case: str) -> dict[str, float]:
    """Headstart's way, without its cache of embeddings."""
    from headstart.backbones.opening import open_backbone
    from headstart.device import choose_device
    from headstart.embed.engines import open_engine
    from headstart.embed.extract import embed

    backbone, device = open_backbone(BACKBONES[case]), choose_device("cpu")
    open_engine(backbone, device)
    ready = time.perf_counter()
    embeddings = embed(sorted(folder.rglob("*.jpg")), backbone, device=device, taps=[backbone.last.name])
    return timed(len(embeddings), ready)


def engine(folder: Path, case: str) -> dict[str, float]:
    """The bare engine on one image, loaded once: as many calls at a time as it can run with profit."""
    from concurrent.futures import ThreadPoolExecutor

    from headstart.backbones.opening import open_backbone
    from headstart.device import choose_device
    from headstart.embed.engines import open_engine

    files = sorted(folder.rglob("*.jpg"))
    backbone = open_backbone(BACKBONES[case])
    opened = open_engine(backbone, choose_device("cpu"))
    batch = backbone.spec.buffer(opened.batch)
    batch[:] = backbone.spec.load(files[0])
    calls = -(-len(files) // opened.batch)
    ready = time.perf_counter()
    with ThreadPoolExecutor(opened.requests) as pool:
        list(pool.map(lambda _: opened.run(batch, opened.batch), range(calls)))
    return timed(calls * opened.batch, ready)


def timed(images: int, ready: float) -> dict[str, float]:
    end = time.perf_counter()
    return {"steady": images / (end - ready), "total": images / (end - STARTED), "set_up": ready - STARTED}


def memory(folder: Path, case: str, count: int) -> dict[str, float]:
    """Embed `count` images (files repeated, each under a fingerprint of its own), cache on; peak memory in MB."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    files = sorted(folder.rglob("*.jpg"))
    images = [files[i % len(files)] for i in range(count)]
    backbone = open_backbone("lite0")
    found = embed(images, backbone, content=[f"image {i}" for i in range(count)], cache=open_cache(backbone))
    output = sum(rows.nbytes for rows in found.taps.values()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak": peak / (1e6 if sys.platform == "darwin" else 1e3) * 1.024, "output": output, "rows": len(found)}


def cached(folder: Path, case: str) -> dict[str, float]:
    """One run with the cache on, fingerprints of the files included."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed

    backbone = open_backbone("lite0")
    found = embed(sorted(folder.rglob("*.jpg")), backbone, cache=open_cache(backbone))
    return {"seconds": time.perf_counter() - STARTED, "cached": found.cached, "rows": len(found)}


WAYS = {"plain": plain, "ours": ours, "engine": engine, "cached": cached}


def child(way: str, folder: Path, case: str = "small", *, count: int = 0) -> dict[str, float]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder), "--case", case, "--count", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(case: str, folder: Path, rounds: int) -> None:
    child("ours", folder, case)  # compiles, and converts resnet50: once for all runs that follow on a machine
    runs: dict[str, list[dict[str, float]]] = {"plain": [], "ours": [], "engine": []}
    for _ in range(rounds):
        for way, results in runs.items():
            results.append(child(way, folder, case))
    print(f"\n{NAMES[case]}")
    print("              steady images/s   total images/s   set-up s")
    for way, results in runs.items():
        steady, total, set_up = (statistics.median(r[k] for r in results) for k in ("steady", "total", "set_up"))
        print(f"  {way:10}  {steady:15.1f}  {total:15.1f}  {set_up:9.2f}")
    for kind in ("steady", "total"):
        ratios = [o[kind] / p[kind] for o, p in zip(runs["ours"], runs["plain"], strict=True)]
        target = f"target {TARGETS[case]:g}x: " if kind == "steady" else ""
        verdict = ("reached" if statistics.median(ratios) >= TARGETS[case] else "not reached") if target else ""
        print(
            f"  ratio {kind}: {statistics.median(ratios):.1f}x ({min(ratios):.1f}-{max(ratios):.1f})  {target}{verdict}"
        )
    shares = [100 * ours["steady"] / bare["steady"] for ours, bare in zip(runs["ours"], runs["engine"], strict=True)]
    print(f"  share of the bare engine's rate: {statistics.median(shares):.0f} % ({min(shares):.0f}-{max(shares):.0f})")


def speeds(options: argparse.Namespace, folder: Path) -> None:
    cases = options.only.split(",")
    if {"small", "resnet50"} & set(cases):
        make_set(folder / "small", options.images, large=False)
    if "large" in cases:
        make_set(folder / "large", options.large, large=True)
    if "resnet50" in cases:
        make_set(folder / "fewer", max(32, options.images // 4), large=False)
    for case in cases:
        compare(case, folder / {"small": "small", "large": "large", "resnet50": "fewer"}[case], options.rounds)


def probe() -> None:
    """Accuracy of a linear probe on bf16 and on f32 embeddings, the same folds."""
    import openvino
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from headstart.backbones.opening import open_backbone
    from headstart.demo.solar import solar_cells
    from headstart.device import Device
    from headstart.embed.extract import embed

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        print("bf16 probe: not measured, this processor has no bfloat16 arithmetic.")
        return
    samples, backbone = solar_cells().samples, open_backbone("lite0")
    accuracy = {}
    for precision in ("f32", "bf16"):
        X = embed(samples.items, backbone, device=Device("cpu", precision, ""), taps=[backbone.last.name]).last
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        accuracy[precision] = 100 * cross_val_score(model, X, samples.labels, cv=folds).mean()
    difference = accuracy["bf16"] - accuracy["f32"]
    verdict = "reached" if abs(difference) <= 0.3 else "not reached"
    print(f"probe on solar cells: f32 {accuracy['f32']:.2f} %, bf16 {accuracy['bf16']:.2f} %", end="; ")
    print(f"difference {difference:+.2f} points (target: within 0.3): {verdict}")


def peak_memory(count: int, folder: Path) -> None:
    make_set(folder / "small", 200, large=False)
    found = child("memory", folder / "small", count=count)
    verdict = "reached" if found["peak"] < 2000 else "not reached"
    print(f"embedding {found['rows']:,.0f} images: peak {found['peak']:,.0f} MB, of which the result ", end="")
    print(f"{found['output']:,.0f} MB (target for 50,000: under 2,000 MB): {verdict}")


def second_run(images: int, folder: Path) -> None:
    make_set(folder / "small", images, large=False)
    first, second = child("cached", folder / "small"), child("cached", folder / "small")
    print(f"{images:,} images: first run {first['seconds']:.2f} s, second run {second['seconds']:.2f} s ", end="")
    print(f"({second['cached']:.0f} rows from the cache): {first['seconds'] / second['seconds']:.1f}x")


def main() -> None:
    """Parse the options; measure what is asked for, or, in a child, one way."""
    parser = arguments(__doc__, data=None)
    parser.add_argument("--images", type=int, default=640, help="230-pixel images (resnet50: a quarter)")
    parser.add_argument("--large", type=int, default=48, help="12-megapixel images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="small,large,resnet50")
    parser.add_argument("--memory", type=int, nargs="?", const=50_000)
    parser.add_argument("--cache", action="store_true")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--case", default="small", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        way, folder, case = options.way, options.folder, options.case
        print(json.dumps(memory(folder, case, options.count) if way == "memory" else WAYS[way](folder, case)))
        return
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        os.environ["HEADSTART_CACHE"] = str(Path(name) / "cache")
        if options.probe:
            probe()
        elif options.memory:
            peak_memory(options.memory, Path(name))
        elif options.cache:
            second_run(options.images, Path(name))
        else:
            speeds(options, Path(name))


if __name__ == "__main__":
    main()
