"""Backbones are ranked on real photographs: scored cheaply, measured where it counts, ties said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.packaged import PACKAGED_FOLDER
from headstart.errors import DataError, OptionError, UnknownBackbone
from headstart.pipeline.options import Options
from headstart.pipeline.shortlist import by_mean_rank
from headstart.verbs.rank import Ranking, rank
from headstart.verbs.words import next_command

PACKAGED = ("efficientnet_lite0", "efficientnet_lite2")


@pytest.fixture(scope="module")
def ranking(cells: Path) -> Ranking:
    return rank(cells, options=Options(backbones=PACKAGED, repeats=1))


def copy(folder: Path, name: str) -> None:
    """lite0 under another name, as if it had been converted."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PACKAGED_FOLDER / "efficientnet_lite0.onnx", folder / f"{name}.onnx")
    facts = json.loads((PACKAGED_FOLDER / "efficientnet_lite0.json").read_text())
    (folder / f"{name}.json").write_text(json.dumps({**facts, "name": name}))


def test_every_backbone_has_its_scores_and_the_best_is_first(ranking: Ranking) -> None:
    assert {line.name for line in ranking.backbones} == set(PACKAGED)
    assert ranking.best.status == "chosen"
    assert ranking.best.gain is None
    for line in ranking.backbones:
        assert line.probe is not None
        assert line.probe.low < line.probe.value < line.probe.high
        assert 0.6 < line.neighbours.value <= 1
        assert -1 < line.logme < 1
        assert 0 < line.h_score < 1
        assert line.seconds_per_image > 0
    assert {line.gigaflops for line in ranking.backbones} == {0.39, 0.86}
    assert ranking.baseline == 0.6
    assert ranking.estimate.method.startswith("BBC-CV, no narrower than exact binomial at the effective number of")


def test_what_is_not_clearly_worse_is_called_a_tie(ranking: Ranking) -> None:
    other = ranking.backbones[1]
    assert other.gain is not None
    assert (other.name in ranking.ties) == (other.gain.low <= 0 <= other.gain.high)


def test_the_closing_sentence_names_the_command(ranking: Ranking) -> None:
    said = next_command(ranking, "photos/")
    assert said.startswith(f"headstart train photos/ --backbones {ranking.best.name} would use the chosen backbone")
    assert str(ranking.estimate) in said


def test_the_same_data_are_ranked_alike_and_the_second_time_from_memory(cells: Path, ranking: Ranking) -> None:
    again = rank(cells, options=Options(backbones=PACKAGED, repeats=1))
    assert again.estimate == ranking.estimate
    assert [(a.name, a.logme, a.probe) for a in again.backbones] == [
        (b.name, b.logme, b.probe) for b in ranking.backbones
    ]
    assert again.data.cached == 50


def test_it_can_be_written_as_json(ranking: Ranking) -> None:
    found = json.loads(json.dumps(ranking.to_dict()))
    assert found["chosen"] == ranking.best.name
    assert found["data"]["counts"] == {"defective": 20, "functional": 30}
    assert [line["name"] for line in found["backbones"]] == [line.name for line in ranking.backbones]


def test_of_more_than_three_the_cheap_scores_pick_three(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    for name in ("copy_a", "copy_b"):
        copy(tmp_path / "backbones", name)
    found = rank(cells, options=Options(backbones=("local",), repeats=1))
    assert sorted(line.name for line in found.backbones) == ["copy_a", "copy_b", *PACKAGED]
    assert [line.status for line in found.backbones].count("not measured") == 1
    last = found.backbones[3]
    assert (last.status, last.probe, last.gain) == ("not measured", None, None)
    copies = [line for line in found.backbones if line.name in ("efficientnet_lite0", "copy_a", "copy_b")]
    assert len({(line.logme, line.h_score, line.neighbours) for line in copies}) == 1
    assert all(line.status in ("chosen", "tie", "not measured") for line in copies)


def test_a_better_network_is_found_among_worse_ones() -> None:
    """Positions by mean rank: equal scores share theirs, and the first of equals stays first."""
    assert by_mean_rank(np.array([[0.1, 0.9, 0.5, 0.7]])) == [1, 3, 2, 0]
    assert by_mean_rank(np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])) == [0, 1, 2]
    assert by_mean_rank(np.array([[1.0, 1.0, 2.0], [5.0, 5.0, 5.0]])) == [2, 0, 1]


def test_what_cannot_be_ranked_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownBackbone, match="did you mean 'efficientnet_lite0'"):
        rank(cells, options=Options(backbones=("lite0", "efficientnet_lite00")))
    with pytest.raises(OptionError, match="backbones is an empty list"):
        rank(cells, options=Options(backbones=()))
    (tmp_path / "only").symlink_to(cells / "defective")
    with pytest.raises(DataError, match="only one class"):
        rank(tmp_path, options=Options(backbones=("lite0",)))


def test_a_test_split_is_kept_apart(cells: Path, tmp_path: Path) -> None:
    for place, rows in (("train", slice(10, 20)), ("test", slice(0, 10))):
        for folder in sorted(cells.iterdir()):
            (tmp_path / place / folder.name).mkdir(parents=True)
            for file in sorted(folder.iterdir())[rows]:
                shutil.copy(file, tmp_path / place / folder.name / file.name)
    found = rank(tmp_path, options=Options(backbones=("lite0",), repeats=1))
    assert (found.data.images, found.data.held_out) == (19, 20)  # one near copy of an image of the test split less
    assert "The test split is kept apart until the end." in found.notes
