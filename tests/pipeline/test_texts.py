"""The strategies for texts: which there are, and an ensemble fitted, joined and predicted."""

import numpy as np
import pytest

from headstart.choose.ensemble import select
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.embed.features import embed_parts
from headstart.heads.forms.blend import Blend
from headstart.pipeline.comparison import rows_of
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, prepare
from headstart.pipeline.texts import EnsembleStrategy, plan_texts
from headstart.records.run import Run

TEXTS = [f"{verb} {thing} {when}" for verb in ("pay", "send") for thing in ("a bill", "the card", "my rent", "an order")
         for when in ("today", "at once", "next week")]  # fmt: skip
LABELS = [text.split()[0] for text in TEXTS]
OPTIONS = Options(backbones=("minilm",), folds=3, repeats=2)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(load_dataset(TEXTS, labels=LABELS), ("minilm",), Run())


@pytest.fixture(scope="module")
def division(prepared: Prepared) -> Division:
    return divide(prepared.samples, count=3, repeats=2, seed=0)


def test_the_fitted_ensemble_blends_its_members(prepared: Prepared, division: Division) -> None:
    strategies, left_out, _ = plan_texts(prepared, division, OPTIONS)
    rows, ensemble = rows_of(prepared, division), strategies[-1]
    assert isinstance(ensemble, EnsembleStrategy)
    assert left_out == []
    assert ensemble.path(rows).scores.shape == (1, 2, 24, 2)
    fitted = ensemble.fit(rows, {})
    assert isinstance(fitted.form, Blend)
    assert fitted.X is not None
    paths = [member.path(rows) for member in ensemble.members]
    recipe = select(paths, rows.labels, np.arange(24))
    expected = 0.0
    for (m, c), temperature, share in zip(recipe.members, recipe.temperatures, recipe.shares, strict=True):
        one = ensemble.members[m].fit(rows, paths[m].configurations[c])
        scores = one.form.scores(one.X) / temperature
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        expected = expected + share * powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(fitted.form.scores(fitted.X)), expected, atol=1e-4)


def test_what_an_ensemble_looks_at_can_be_embedded_again(prepared: Prepared, division: Division) -> None:
    strategies, _, _ = plan_texts(prepared, division, OPTIONS)
    rows = rows_of(prepared, division)
    fitted = strategies[-1].fit(rows, {})
    again = embed_parts(prepared.samples, fitted.parts, Run(cache=False)).X
    width = sum(part.width for part in fitted.parts if part.backbone.name == "minilm_l6")
    np.testing.assert_allclose(again[:, :width], fitted.X[:, :width], atol=1e-2)  # bf16 where this machine has it
    assert again.shape == fitted.X.shape


def test_many_classes_race_the_probe_on_one_layer_alone(prepared: Prepared, division: Division) -> None:
    named, _, _ = plan_texts(prepared, division, Options(backbones=("minilm",), heads=("lda",)))
    assert [strategy.about.features for strategy in named] == ["minilm_l6, last 4 layers", "minilm_l6, last layer"]
