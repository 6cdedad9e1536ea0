"""What testing whole batches for shift saves: predictions accepted, and wrong ones among them, with and without it.

    python benchmarks/batches.py [--data FOLDER] [--train 490] [--size 100] [--repeats 40] [--max-error 0.05]

A model (`ridge`, lite0) is trained on `--train` photographs of pacs with a guarantee of at most `--max-error` wrong
among the accepted predictions. Then `--repeats` batches of `--size` are drawn: from photographs kept apart (five times
as many), from these under label shift (four of seven classes), with a fifth of another domain, and from the other
domains. *Warn* accepts as if every batch were like the training images (novel images go to review all the same),
*review* sends a batch that differs to review as a whole. Shares are of all images drawn; *wrong* is of the accepted
ones.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import headstart
from common import arguments, heading, row, samples_of
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.embed.features import join_parts
from headstart.metrics.intervals import clopper_pearson
from headstart.model.load import load_model
from headstart.model.predictor import Features, Predictor
from headstart.records.arrays import Floats, Ints
from headstart.trust.triage.decide import SHIFT

DOMAINS = ("photo", "art_painting", "cartoon", "sketch")
_NULL = "photo, nothing changed"
_NULL_TIMES = 5
Draw = Callable[[np.random.Generator], tuple[Floats, Ints]]
"""→ a batch: what the head looks at, and the true classes."""


def pictures(root: Path, domain: str) -> tuple[list[Path], list[str]]:
    """Files of a domain and their classes."""
    samples = samples_of(f"pacs/{domain}", root)
    return list(samples.items), [samples.classes[label] for label in samples.labels]


def looked_at(model: Predictor, files: list[Path]) -> Floats:
    """What the model's head looks at, and beside it what novelty looks at, (n, d)."""
    found = [embed(files, part.backbone, cache=open_cache(part.backbone)) for part in model.parts]
    return join_parts([*found, found[0]], [*(part.taps for part in model.parts), model.novelty_taps]).X


def trained(root: Path, count: int, max_error: float) -> tuple[Predictor, list[Path], list[str]]:
    """A model of some photographs, and the photographs kept apart."""
    files, labels = pictures(root, "photo")
    order = np.random.default_rng(0).permutation(len(files))
    fit, rest = order[:count], order[count:]
    options = headstart.Options(backbones=("lite0",), heads=("ridge",), max_error=max_error)
    done = headstart.train([files[i] for i in fit], [labels[i] for i in fit], options=options)
    with tempfile.TemporaryDirectory() as folder:
        done.save(Path(folder) / "model")
        model = load_model(Path(folder) / "model")
    return model, [files[i] for i in rest], [labels[i] for i in rest]


def batches(root: Path, model: Predictor, files: list[Path], labels: list[str], size: int) -> dict[str, Draw]:
    """What batches are drawn from, by description."""
    number = {name: i for i, name in enumerate(model.classes)}
    photo, y = looked_at(model, files), np.array([number[label] for label in labels])
    others = {}
    for domain in DOMAINS[1:]:
        theirs, names = pictures(root, domain)
        others[domain] = looked_at(model, theirs), np.array([number[name] for name in names])

    def same(random: np.random.Generator) -> tuple[Floats, Ints]:
        rows = random.permutation(len(photo))[:size]
        return photo[rows], y[rows]

    def other(domain: str, share: float) -> Draw:
        def drawn(random: np.random.Generator) -> tuple[Floats, Ints]:
            X, labels = same(random)
            rows = random.permutation(len(others[domain][0]))[: round(share * size)]
            X[: len(rows)], labels[: len(rows)] = others[domain][0][rows], others[domain][1][rows]
            return X, labels

        return drawn

    def four(random: np.random.Generator) -> tuple[Floats, Ints]:
        rows = random.permutation(len(photo))
        rows = rows[np.isin(y[rows], random.permutation(len(number))[:4])][:size]
        return photo[rows], y[rows]

    return {
        _NULL: same,
        "photo, four of seven classes": four,
        "photo, a fifth art_painting": other("art_painting", 0.2),
        **{domain: other(domain, 1.0) for domain in DOMAINS[1:]},
    }


def line(model: Predictor, name: str, draw: Draw, repeats: int) -> str:
    """A row of the table: batches sent to review, and of either way what is accepted and wrong."""
    random = np.random.default_rng(1)
    width = sum(part.width for part in model.parts)
    sent, counts = 0, {"warn": np.zeros(3), "review": np.zeros(3)}
    for _ in range(repeats):
        X, y = draw(random)
        answers = model.answer(Features(X[:, :width], tuple(map(str, range(len(X)))), layers=X[:, width:]))
        right = answers.probabilities.argmax(axis=1) == y
        for way, count in counts.items():
            decided = model.decide(answers, on_shift=way)
            count += len(X), decided.accepted.sum(), (decided.accepted & ~right).sum()
        sent += SHIFT in decided.reasons
    low, high = clopper_pearson(np.array([sent]), repeats)
    shares = [
        cell
        for drawn, accepted, wrong in counts.values()
        for cell in (f"{100 * accepted / drawn:.0f} %", f"{100 * wrong / accepted:.1f} %" if accepted else "–")
    ]
    return row(name, f"{sent / repeats:.2f} ({low[0]:.2f}–{high[0]:.2f})", *shares)


def main() -> None:
    """Read the options and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--train", type=int, default=490)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--max-error", type=float, default=0.05)
    options = parser.parse_args()
    model, files, labels = trained(options.data, options.train, options.max_error)
    print(f"{model.triage().sentences()[0]}\n")
    print(heading("batches", "sent to review", "warn: accepted", "wrong", "review: accepted", "wrong"))
    for name, draw in batches(options.data, model, files, labels, options.size).items():
        repeats = options.repeats * (_NULL_TIMES if name == _NULL else 1)
        print(line(model, name, draw, repeats), flush=True)


if __name__ == "__main__":
    main()
