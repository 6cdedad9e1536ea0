"""Whether `predict --list` stays small however long the list is: memory and rate at 10,000 and 100,000 rows.

    python benchmarks/listed.py [--set trashnet] [--rows 10000,100000]

A model (`ridge`, lite0) is trained; the lists repeat the set's images. Embeddings come from the cache after the first
pass over the set: what is measured is everything but the network (docs/evidence/export.md has its rate). Each list is
one process, whose largest memory is printed.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import headstart
from common import arguments, heading, numbers, row, samples_of


def main() -> None:
    """Measure and print a table."""
    parser = arguments(__doc__)
    parser.add_argument("--set", default="trashnet")
    parser.add_argument("--rows", type=numbers, default=[10_000, 100_000])
    options = parser.parse_args()
    samples = samples_of(options.set, options.data)
    labels = [samples.classes[label] for label in samples.labels]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        chosen = headstart.Options(backbones=("lite0",), heads=("ridge",), max_error=0.1)
        headstart.train(list(samples.items), labels, options=chosen).save(folder / "model")
        print(heading("rows", "seconds", "rows/s", "largest memory, MB", "answers, MB"))
        for count in options.rows:
            print(row(f"{count:,}", *one(folder, [str(item) for item in samples.items], count)))


def one(folder: Path, paths: list[str], count: int) -> tuple[str, str, str, str]:
    """Seconds, rate, memory and size of one list."""
    listed, answers = folder / f"{count}.txt", folder / f"{count}.csv"
    listed.write_text("".join(f"{paths[i % len(paths)]}\n" for i in range(count)))
    words = [sys.executable, "-m", "headstart", "--quiet", "predict", str(folder / "model"), "--cache"]
    begun = time.perf_counter()
    subprocess.run([*words, "--list", str(listed), "-o", str(answers)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    with answers.open() as file:
        assert sum(1 for _ in file) == count + 1
    return f"{seconds:.0f}", f"{count / seconds:,.0f}", f"{memory:,.0f}", f"{answers.stat().st_size / 1e6:.1f}"


if __name__ == "__main__":
    main()
