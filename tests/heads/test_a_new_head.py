"""A newcomer adds a head as docs/adding-a-head.md says: one file, one line in the catalogue, and it takes part."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import headstart
from headstart.errors import OptionError
from headstart.heads.catalog import HEADS, HeadEntry, make_head
from headstart.heads.forms.linear import form_from_arrays
from headstart.pipeline.options import Options

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-head.md"


@pytest.fixture
def centroid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The document's head, its file on the path of modules and its line in the catalogue; its name."""
    module, line = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "centroid.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    entry = eval(line.replace("headstart.heads.centroid", "centroid"), {"HeadEntry": HeadEntry})
    monkeypatch.setitem(HEADS, entry.name, entry)
    return entry.name


def test_it_keeps_the_estimator_contract(centroid: str) -> None:
    check_estimator(make_head(centroid), on_skip=None)


def test_it_is_saved_and_scored_like_every_head(centroid: str) -> None:
    random = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = (random.standard_normal((90, 12)) + 2 * random.standard_normal((3, 12))[y]).astype(np.float32)
    head = make_head(centroid).fit(X, y)
    assert head.score(X, y) > 0.9
    assert set(head.configuration_) == {"threshold"}
    form = form_from_arrays(head.form_.kind, head.form_.to_arrays())
    np.testing.assert_array_equal(form.scores(X), head.form_.scores(X))
    path = make_head(centroid).path_scores(X, y, (np.arange(90) % 5)[None])
    assert path.scores.shape == (4, 1, 90, 3)
    with pytest.raises(OptionError, match="threshold must be 'auto' or above 0; found 0"):
        make_head(centroid, configuration={"threshold": 0}).fit(X, y)


def test_it_takes_part_in_a_comparison_and_predicts_from_a_saved_model(
    centroid: str, cells: Path, tmp_path: Path
) -> None:
    options = Options(backbones=("lite0",), heads=("class-mean", centroid), strategies=())
    compared = headstart.train(cells, options=options)
    assert {"class-mean", "centroid"} <= {entry.name for entry in compared.race.lines}
    alone = headstart.train(cells, options=Options(backbones=("lite0",), heads=(centroid,), strategies=()))
    alone.save(tmp_path / "model")
    images = sorted(cells.glob("*/*"))[:5]
    saved = headstart.load(tmp_path / "model").predict(images)
    np.testing.assert_array_equal(saved.probabilities, alone.predictor.predict(images).probabilities)
