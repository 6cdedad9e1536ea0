"""The backbones that people ask for, and what is known of them.

`zoo()` gives them by name, family by family. A fact is either measured on the network itself (parameters,
gigaflops, width: a test builds every network and compares) or carries its `source`; what does not exist is None, and
nothing is estimated. This module is data: it opens nothing and needs no torch.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("zoo.csv")


@dataclass(frozen=True)
class ZooEntry:
    """A known backbone.

    name: what to call it. timm: the network and its weights in timm. year: of its publication. parameters: how many,
    its classifier included. gigaflops: 10^9 multiply-additions for one image of `size`, as papers count. top1, top5:
    per cent on ImageNet-1k's validation set, one centre crop, with its own classifier; None where it has none, or none
    was published at this size. size: side of its input, pixels. width: length of its embedding. licence: of the
    weights. best_for: when to choose it. source: where the accuracies are from.
    """

    name: str
    timm: str
    year: int
    parameters: int
    gigaflops: float
    top1: float | None
    top5: float | None
    size: int
    width: int
    licence: str
    best_for: str
    source: str


@cache
def zoo() -> dict[str, ZooEntry]:
    """All known backbones by name.

    >>> zoo()["resnet50"].width
    2048
    """
    with _TABLE.open(newline="", encoding="utf-8") as file:
        return {row["name"]: _entry(row) for row in csv.DictReader(file)}


def _entry(row: dict[str, str]) -> ZooEntry:
    return ZooEntry(
        name=row["name"],
        timm=row["timm"],
        year=int(row["year"]),
        parameters=int(row["parameters"]),
        gigaflops=float(row["gigaflops"]),
        top1=float(row["top1"]) if row["top1"] else None,
        top5=float(row["top5"]) if row["top5"] else None,
        size=int(row["size"]),
        width=int(row["width"]),
        licence=row["licence"],
        best_for=row["best_for"],
        source=row["source"],
    )
