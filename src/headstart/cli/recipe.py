"""The options of fine-tuning, made from the recipe's fields and shown in a section of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from headstart.cli.options import Verb, as_record
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe

_TEXT = {
    "epochs": "Passes over the images; default: so many that about 400 steps are made, 6 to 20.",
    "stage_epochs": "Epochs of each step of gradual unfreezing.",
    "batch": "Images a step; default: 32, fewer where there are few.",
    "rate": "Learning rate of the head (AdamW).",
    "backbone_rate": "Learning rate of the last trained stage; default: a tenth of --rate.",
    "layer_decay": "What that rate is multiplied by for each stage further down.",
    "weight_decay": "Weight decay of matrices and kernels.",
    "warmup": "Share of the steps in which the rate rises; then it falls as a cosine.",
    "smoothing": "Label smoothing.",
    "mixup": "Mixup's alpha; 0 for none.",
    "cutmix": "CutMix's alpha; 0 for none.",
    "augment": "none, light, medium or strong; default: light, from scratch medium.",
    "views": "Augmented views of an image that are cached.",
    "balanced": "Draw every class equally often.",
    "ema": "Decay of the running mean of the weights; 0 for none.",
    "patience": "Epochs without improvement after which training stops, 0 for never; default: 5 from 2,000 images on.",
    "clip": "Largest norm of the gradient.",
    "precision": "auto (timed), f32 or bf16.",
    "compile": "Use torch.compile: mostly slower.",
    "norms": "Batch-norm statistics of trained stages: frozen or trained; default: frozen, from scratch trained.",
    "l2sp": "L2-SP weights, comma-separated: they hold the network near its initial weights; several are compared.",
    "interpolate": "Compare mixtures of initial and final weights (WiSE-FT).",
    "head_init": "The head's initial weights: probe (LP-FT) or random.",
    "rank": "Rank of low-rank adapters.",
}
_KINDS: dict[str, Any] = {"int": int, "int | None": int, "float": float, "float | None": float}


_FINE_TUNING = "Fine-tuning (with --strategy)"
_REST = "More"
_GROUPS: dict[str, tuple[str, ...]] = {
    "The options that matter first": ("output", "budget", "max_error", "strategies", "backbones"),
    "What is learnt from": (
        *("path_column", "label_column", "group_column", "split_column"),
        *("exclude", "holdout", "max_unreadable"),
    ),
    "What is compared, and how": (
        *("heads", "weights", "metric", "class_weight", "folds", "repeats", "min_gain", "seed"),
    ),
    "The guarantee (with --max-error)": ("confidence", "per_class"),
    _REST: (),
    _FINE_TUNING: tuple(_TEXT),
}


class Sections(click.Command):
    """A command whose help shows its options in groups, those that matter most first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group; an option that none names stands under 'More'."""
        records = {p.name: record for p in self.get_params(ctx) if (record := p.get_help_record(ctx)) is not None}
        named = {name for names in _GROUPS.values() for name in names}
        for title, names in _GROUPS.items():
            order = [name for name in records if name not in named] if title == _REST else names
            lines = [records[name] for name in order if name in records]
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


def recipe(function: Verb) -> Verb:
    """Add an option for each field of `Recipe`; the function gets them as one, `recipe`."""
    options = [_option(field.name, str(field.type), field.default) for field in fields(Recipe)]
    return as_record(function, "recipe", options, _recipe, names=tuple(_TEXT))


def _recipe(**values: Any) -> Recipe:
    """The recipe; what was not given keeps its default."""
    fields = {name: value for name, value in values.items() if value is not None}
    if "l2sp" in fields:
        fields["l2sp"] = _strengths(fields["l2sp"])
    return Recipe(**fields)


def _option(name: str, kind: str, default: Any) -> Callable[[Any], Any]:
    flag = f"--{name.replace('_', '-')}"
    if kind == "bool":
        return click.option(f"{flag}/--no-{flag[2:]}", default=default, show_default=True, help=_TEXT[name])
    shown = None if default is None or name in ("l2sp", "norms") else default  # these two say theirs in words
    return click.option(
        flag, type=_KINDS.get(kind, str), default=shown, show_default=shown is not None, help=_TEXT[name]
    )


def _strengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise OptionError(f"--l2sp must be numbers with commas between; found {text!r}.") from error
