"""Records what must not change when code only moves: train and audit on every set, with fixed seeds, through the CLI.

    python benchmarks/record.py before.json
    python benchmarks/record.py after.json --against before.json

Each set is trained on with heads alone and a guarantee asked for; one set also with a fine-tune. Written are the chosen
candidate, its configuration, the estimate with its interval, every candidate's score, the hash of the learnt bytes, the
calibration, the guarantee with its coverage, the novelty threshold, and the audit's findings. Both runs must be on one
machine: another processor may round differently. Nothing that was cached is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import SETS, arguments, missing

FOLDERS = (*SETS[:-1], "dogs20")
FINE_TUNED = "rice_leaf"
HEADS = "class-mean,probe,ridge,lda,knn,linear-svm,svm"


def main() -> None:
    """Record, and compare where another record is named."""
    parser = arguments(__doc__ or "")
    parser.add_argument("output", type=Path, help="the JSON file to write")
    parser.add_argument("--against", type=Path, help="an earlier record: exit 1 where the two differ")
    parser.add_argument("--sets", help="comma-separated names of sets; default: all")
    options = parser.parse_args()
    wanted = options.sets.split(",") if options.sets else None
    with tempfile.TemporaryDirectory() as work:
        os.environ["HEADSTART_CACHE"] = str(Path(work) / "cache")
        found = {}
        for name, folder in folders(options.data, Path(work)):
            if wanted is None or name in wanted:
                found[name] = record(name, folder, Path(work))
                options.output.write_text(json.dumps(found, indent=1, sort_keys=True))
                print(f"{name}: {found[name]['train']['chosen']}", flush=True)
    if options.against is not None:
        before = in_present_words(json.loads(options.against.read_text()))
        found = in_present_words(json.loads(options.output.read_text()))
        lines = list(differences({k: v for k, v in before.items() if k in found}, found, ""))
        print("\n".join(lines) if lines else "equal to the last digit")
        sys.exit(bool(lines))


def folders(data: Path, work: Path) -> Iterator[tuple[str, Path]]:
    """The sets by name: real photographs, the solar cells, drawn screenshots."""
    for name in FOLDERS:
        if reason := missing(name, data):
            print(f"left out: {reason}")
        else:
            yield name, data / name
    yield "elpv", solar_cells(work / "elpv")
    headstart("sample", "screens", str(work / "screens"), "--per-class", "20")
    yield "screens", work / "screens" / "known"


def solar_cells(folder: Path) -> Path:
    """600 of the solar cells as a folder of class folders."""
    from common import samples_of

    samples = samples_of("elpv", folder)
    for row in range(0, len(samples), len(samples) // 600):
        image = samples.items[row]
        assert isinstance(image, Path)
        place = folder / samples.classes[int(samples.labels[row])] / image.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(image.resolve())
    return folder


def record(name: str, data: Path, work: Path) -> dict[str, Any]:
    """What training and the audit say of one set."""
    model, common = work / f"model-{name.replace('/', '-')}", ("--seed", "1", "--json")
    ask = ("--max-error", "0.05", "--confidence", "0.9")
    found = {
        "train": facts(headstart("train", str(data), "-o", str(model), "--heads", HEADS, *ask, *common), model),
        "audit": audit(headstart("audit", str(data), *common), data),
    }
    if name == FINE_TUNED:
        tuned = work / "tuned"
        ways = ("--strategy", "last-1", "--epochs", "2", "--heads", "ridge", "--folds", "3", "--min-gain", "0")
        found["tuned"] = facts(headstart("train", str(data), "-o", str(tuned), *ways, *common), tuned)
    return found


def headstart(*words: str) -> str:
    """The standard output of a command line."""
    code = "from headstart.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"headstart {' '.join(words)} failed: {done.stderr}")
    return done.stdout


def facts(text: str, model: Path) -> dict[str, Any]:
    """What a manifest and its files say, without seconds, versions, paths and sentences."""
    manifest = in_present_words(json.loads(text))
    trust = manifest["trust"]
    guarantee = trust and trust["guarantee"]
    return {
        "chosen": [manifest["head"][key] for key in ("candidate", "features", "kind")],
        "configuration": manifest["head"]["configuration"],
        "calibration": {k: v for k, v in manifest["head"]["calibration"].items() if k != "sentences"},
        "scores": without(manifest["scores"]),
        "candidates": [without(line) for line in manifest["candidates"] if "score" in line],
        "guarantee": guarantee and without(guarantee),
        "novelty": trust and trust["novelty"] and without(trust["novelty"]),
        "data": {
            key: manifest["data"][key] for key in ("images", "counts", "held_out", "folds", "repeats", "duplicates")
        },
        "suspects": without(manifest["suspects"]),
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(model.glob("*.safetensors"))
        },
    }


RENAMED = {
    "copies": "duplicates",
    "exact copy": "exact duplicate",
    "near copy": "near duplicate",
    "likely mislabelled": "label issue",
    "efficientnet_lite0.changes.safetensors": "efficientnet_lite0.delta.safetensors",
}
"""Keys and words of older records, and what they are called now."""


def renamed(value: Any) -> Any:
    """An older record in today's words."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): renamed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner) for inner in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


SILENT = {"seconds", "sentence", "sentences", "reason", "method", "cached", "notes"}


def without(value: Any) -> Any:
    """A JSON value without what is not a result: times and sentences."""
    if isinstance(value, dict):
        return {key: without(inner) for key, inner in value.items() if key not in SILENT}
    return [without(inner) for inner in value] if isinstance(value, list) else value


def audit(text: str, data: Path) -> Any:
    """The audit's findings, with paths that do not depend on where the data lie."""
    return without(json.loads(text.replace(str(data), "")))


RENAMED = {
    "setting": "configuration",
    "settings": "configuration",
    "doubts": "suspects",
    "dearer": "costlier",
    "naive": "leaky",
    "honest": "group_aware",
    "copies": "duplicates",
    "exact copy": "exact duplicate",
    "near copy": "near duplicate",
    "likely mislabelled": "label issue",
    "promise": "guarantee",
    "answers": "predictions",
    "own": "guarantee",
    "first": "first_step",
    "kept": "guaranteed",
    "broken": "violated",
}
"""What manifests called keys and states before → now: names are not results, so records of either kind compare."""
GONE = {"isotonic"}
"""Keys of what no longer exists: isotonic calibration was compared, or left out with a reason, and never won."""


def in_present_words(value: Any) -> Any:
    """A record with today's names for keys and states."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): in_present_words(inner) for key, inner in value.items() if key not in GONE}
    if isinstance(value, list):
        return [in_present_words(inner) for inner in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def differences(one: Any, other: Any, place: str) -> Iterator[str]:
    """A line for each value that differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{place}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{place}/{i}")
    elif one != other:
        yield f"{place}: {json.dumps(one)[:150]} became {json.dumps(other)[:150]}"


if __name__ == "__main__":
    main()
