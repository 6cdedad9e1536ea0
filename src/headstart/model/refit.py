"""How a saved model's head was made, read from its manifest without trust, so that it can be made again.

It takes a predictor and its bundle and gives a `HeadRecipe`. It fits nothing but a few made-up rows, to see whether
the configuration in the manifest is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import checks
from headstart.errors import BundleError, OptionError
from headstart.heads.catalog import HEADS, make_head
from headstart.metrics.classes import METRICS
from headstart.records.run import MOST_SEED

if TYPE_CHECKING:
    from headstart.heads.base import Head
    from headstart.model.bundle import Bundle
    from headstart.model.predictor import Predictor

CLOSED_FORM = ("ridge", "lda", "class-mean", "knn")
_TUNED_HEAD = "ridge"
SELF_TRAINED = "self-trained"
"""A head that unlabelled images helped to train, which are not kept: a ridge head on the labelled rows takes its
place."""
AUGMENTED = "augmented-ridge"
"""Ridge trained on further views of the images, which are not kept: a ridge head on the images takes its place."""
NOT_REFITTED = ("ensemble", "tf-idf")
"""What is no head of the catalogue."""


@dataclass(frozen=True)
class HeadRecipe:
    """How the old model's head is made: a name from the catalogue, and what it was trained with.

    former: its configuration; None for a fine-tuned model, whose own head is not fitted anew. retune: choose another.
    """

    name: str
    backbones: tuple[str, ...]
    signed_sqrt: bool
    class_weight: str | None
    metric: str
    seed: int
    former: Mapping[str, Any] | None
    tuned: bool
    retune: bool

    @property
    def configuration(self) -> Mapping[str, Any] | None:
        """The configuration that is kept; None where it is chosen anew."""
        return None if self.retune else self.former

    def head(self, configuration: Mapping[str, Any]) -> Head:
        """The head with this configuration, unfitted."""
        return make_head(
            self.name,
            signed_sqrt=self.signed_sqrt,
            class_weight=self.class_weight,
            seed=self.seed,
            configuration=configuration,
        )

    def words(self) -> str:
        """What is done to the head, for the user."""
        if self.tuned:
            return "a ridge head on the fine-tuned network's features, in closed form, its strength chosen by the folds"
        words = "its configuration chosen anew by the folds" if self.configuration is None else "its configuration kept"
        if self.name in CLOSED_FORM:
            return f"{self.name} solved anew in closed form over all images, {words}" + (
                " (exact)" if self.configuration is not None else ""
            )
        return f"{self.name} refitted to all images, {words}"


def read_recipe(predictor: Predictor, saved: Bundle, *, retune: bool) -> HeadRecipe:
    """The recipe of a bundle's head; `BundleError` where the manifest does not tell it."""
    if "adaptation" in saved.manifest:
        raise OptionError(
            f"{saved.folder} was adapted to another domain, and its head is not made of its training rows alone: "
            "extend the model that it was adapted from, and adapt that again (headstart adapt)."
        )
    if saved.manifest["head"]["name"] in NOT_REFITTED:
        raise OptionError(
            f"{saved.folder} holds {saved.manifest['head']['name']!r}, which is made of several models and cannot be "
            "fitted to more rows: train again with the old data and the new, or with --heads ridge."
        )
    try:
        head, training = saved.manifest["head"], saved.manifest["training"]
        tuned = any(part.backbone.delta is not None for part in predictor.parts)
        pooled = head["name"] in (SELF_TRAINED, AUGMENTED)
        name = _TUNED_HEAD if tuned or pooled else checks.one_of("head", head["name"], list(HEADS))
        recipe = HeadRecipe(
            name,
            tuple(dict.fromkeys(part.backbone.name for part in predictor.parts)),
            bool(getattr(predictor.form, "root", 0)),
            training["class_weight"],
            training["metric"],
            int(training["seed"]),
            None if tuned or pooled else dict(head["configuration"]),
            tuned,
            retune,
        )
        checks.one_of("metric", recipe.metric, METRICS)
        checks.one_of("class_weight", recipe.class_weight or "none", ("none", "balanced"))
        checks.between("seed", recipe.seed, 0, MOST_SEED)
        _check_configuration(recipe)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the manifest of {saved.folder} is damaged: how its head was trained cannot be read "
            f"({type(error).__name__}: {error}): train the model again."
        ) from error
    return recipe


def _check_configuration(recipe: HeadRecipe) -> None:
    """Raise `ValueError` unless the head has just the one configuration, by letting it score a few made-up rows."""
    if recipe.former is None:
        return
    if not all(isinstance(value, (int, float, str)) and value != "auto" for value in recipe.former.values()):
        raise ValueError(f"its configuration is {recipe.former!r}")
    X = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    parted = np.array([[0, 0, 1, 1, 0, 0, 1, 1]])
    if len(recipe.head(recipe.former).path_scores(X, np.array([0, 1] * 4), parted).configurations) != 1:
        raise ValueError(f"its configuration is {recipe.former!r}, which leaves something to be chosen")
