"""Texts: accuracy beside TF-IDF with logistic regression and the usual recipe, and texts a second beside torch.

    python benchmarks/text.py FOLDER [--sizes 8,16,full] [--seeds 2] [--sets NAME,…] [--speed]

FOLDER holds <name>_train.csv (or .tsv) and <name>_test.csv; beside them the sentences that scripts/make_demo_texts.py
draws from Python's documentation are measured (`stdlib`, half of them kept for the test). For every size (texts a
class) and seed: TF-IDF (words 1–2, characters 2–5, C = 10) by scikit-learn, the encoder's last layer with Headstart's
probe, and what `headstart.train` chooses. --speed compares with the same network in torch (sentence-transformers' way:
batches of 32, sorted by length), in texts a second of one thread. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

Texts = tuple[list[str], list[str]]


def load(path: Path) -> Texts:
    from headstart.data.texts.load import load_texts

    samples = load_texts(path).samples
    return list(samples.items), [samples.classes[label] for label in samples.labels]


def sets(folder: Path, names: list[str]) -> Iterator[tuple[str, Texts, Texts]]:
    """Every set: name, training texts, test texts."""
    for path in sorted(folder.glob("*_train.*")):
        name = path.stem.removesuffix("_train")
        if not names or name in names:
            yield name, load(path), load(path.with_name(path.name.replace("_train", "_test")))
    if not names or "stdlib" in names:
        from make_demo_texts import rows

        texts, labels = zip(*rows(), strict=True)
        order = np.random.default_rng(0).permutation(len(texts))
        half = len(order) // 2
        parts = [([texts[i] for i in part], [labels[i] for i in part]) for part in (order[:half], order[half:])]
        yield "stdlib", parts[0], parts[1]


def draw(texts: Texts, size: str, seed: int) -> Texts:
    """So many texts of each class; 'full' takes all."""
    if size == "full":
        return texts
    labels = np.array(texts[1])
    random = np.random.default_rng(seed)
    rows = [i for name in np.unique(labels) for i in random.permutation(np.flatnonzero(labels == name))[: int(size)]]
    return [texts[0][i] for i in rows], [texts[1][i] for i in rows]


def tfidf(train: Texts, test: Texts) -> float:
    """What a user would do first."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union
    from sklearn.svm import LinearSVC

    vectors = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    X = vectors.fit_transform(train[0])
    many = len(train[0]) * len(set(train[1])) > 60_000
    model: Any = LinearSVC() if many else LogisticRegression(C=10, max_iter=300)
    return float(np.mean(model.fit(X, train[1]).predict(vectors.transform(test[0])) == np.array(test[1])))


def usual(train: Texts, test: Texts) -> float:
    """The encoder's last layer with a probe."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.embedding_cache import open_cache
    from headstart.embed.extract import embed
    from headstart.heads.catalog import make_head

    encoder = open_backbone("minilm")
    X, Z = (embed(part[0], encoder, cache=open_cache(encoder)).last for part in (train, test))
    return float(np.mean(make_head("probe").fit(X, train[1]).predict(Z) == np.array(test[1])))


def ours(train: Texts, test: Texts, seed: int) -> tuple[float, Any, float]:
    """Accuracy of what `train` chooses, the model, and seconds of training."""
    import headstart

    start = time.perf_counter()
    model = headstart.train(*train, seed=seed, budget="15m")
    seconds = time.perf_counter() - start
    labels = model.predictor.predict(test[0], cache=True).labels
    return float(np.mean(np.array(labels) == np.array(test[1]))), model, seconds


def accuracy(folder: Path, sizes: list[str], seeds: int, names: list[str]) -> None:
    print("| set | a class | seeds | TF-IDF | last layer, probe | Headstart | its own estimate | chosen | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, train, test in sets(folder, names):
        for size in sizes:
            runs = []
            for seed in range(1 if size == "full" else seeds):
                part = draw(train, size, seed)
                share, model, seconds = ours(part, test, seed)
                last = usual(part, test) if size != "full" or len(set(part[1])) < 10 else np.nan
                runs.append((tfidf(part, test), last, share, model.estimate.value, seconds))
            means = np.mean(runs, axis=0)
            figures = " | ".join(f"{100 * value:.1f}" for value in means[:4])
            print(f"| {name} | {size} | {len(runs)} | {figures} | {model.about.name} | {means[4]:.0f} |", flush=True)


def speed(folder: Path, names: list[str]) -> None:
    """Texts a second of one thread's CPU time: this engine, and the same network in torch."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from headstart.backbones.opening import open_backbone
    from headstart.device import choose_device
    from headstart.embed.extract import embed
    from make_text_encoder import published_folder

    torch.set_num_threads(1)
    encoder, source = open_backbone("minilm"), published_folder()
    network, tokenizer = AutoModel.from_pretrained(source).eval(), AutoTokenizer.from_pretrained(source)

    def in_torch(texts: list[str]) -> np.ndarray[Any, Any]:
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        vectors = np.empty((len(texts), 384), np.float32)
        with torch.no_grad():
            for low in range(0, len(order), 32):
                rows = order[low : low + 32]
                batch = tokenizer(
                    [texts[i] for i in rows], padding=True, truncation=True, max_length=256, return_tensors="pt"
                )
                hidden = network(**batch).last_hidden_state
                mask = batch["attention_mask"][..., None]
                mean = (hidden * mask).sum(1) / mask.sum(1)
                vectors[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

    def in_openvino(texts: list[str]) -> np.ndarray[Any, Any]:
        return embed(texts, encoder, device=choose_device("cpu", precision="f32")).last

    print(
        "\n| set | torch, texts/CPU s | Headstart, texts/CPU s | ratio | cosine, mean (least) |\n|---|---|---|---|---|"
    )
    for name, train, _ in sets(folder, names):
        texts = train[0][:300]
        rates, vectors = [], []
        for way in (in_torch, in_openvino):
            way(texts[:64])
            best = np.inf
            for _ in range(2):
                start = time.process_time()
                result = way(texts)
                best = min(best, time.process_time() - start)
            rates.append(len(texts) / best)
            vectors.append(result)
        cosine = (vectors[0] * vectors[1]).sum(axis=1)
        ratio = rates[1] / rates[0]
        print(
            f"| {name} | {rates[0]:.0f} | {rates[1]:.0f} | {ratio:.1f} | {cosine.mean():.4f} ({cosine.min():.3f}) |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="8,16,full")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", default="")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    names = [name for name in options.sets.split(",") if name]
    if options.speed:
        speed(options.folder, names)
        return
    accuracy(options.folder, options.sizes.split(","), options.seeds, names)


if __name__ == "__main__":
    main()
