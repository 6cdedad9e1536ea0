"""The command line's verbs from Python: a model's folder and a folder of images."""

import html
import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.errors import DataError, OptionError
from headstart.model.model import Model
from headstart.pipeline.options import Options


@pytest.fixture(scope="module")
def model(cells: Path) -> Model:
    return headstart.train(cells, backbones="lite0", heads="ridge", repeats=1, folds=2, holdout="20%", max_error="20%")


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("python") / "model"
    model.save(place)
    return place


def test_a_folder_is_predicted_evaluated_and_embedded(folder: Path, cells: Path) -> None:
    predictions = headstart.predict(folder, cells)
    assert len(predictions) == 50
    assert set(predictions.labels) <= {"defective", "functional"}
    assert headstart.predict(headstart.load(folder), [Image.new("RGB", (40, 40))]).names == ("image 0",)
    evaluation = headstart.evaluate(folder, cells)
    assert evaluation.images == 50
    assert any("trained on" in note for note in evaluation.notes)
    assert headstart.embeddings(cells / "defective", cache=False).last.shape == (20, 1280)
    assert headstart.forgetting(folder, cells) == ()


def test_one_image_in_memory_is_not_many(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"one array of shape \(9, 9, 3\): write \[image\]"):
        headstart.predict(folder, np.zeros((9, 9, 3), np.uint8))


def test_a_held_out_part_is_scored_and_took_no_part(model: Model) -> None:
    assert model.held_out is not None
    assert (model.held_out.images, model.data.images, model.data.held_out) == (10, 40, 10)
    assert [row.count for row in model.held_out.card.per_class] == [4, 6]
    assert "10 images (20%) were kept apart as a test part" in " ".join(model.notes)


def test_a_second_held_out_part_is_refused(cells: Path, tmp_path: Path) -> None:
    files = sorted(cells.glob("*/*"))
    rows = [f"{path},{path.parent.name},{('train', 'test')[i % 2]}" for i, path in enumerate(files)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    with pytest.raises(OptionError, match="have a split that is kept apart already"):
        headstart.train(tmp_path / "t.csv", backbones="lite0", heads="ridge", holdout=0.2)


def test_train_takes_every_option_by_name_with_its_default() -> None:
    signature = inspect.signature(headstart.train).parameters
    named = {name: p.default for name, p in signature.items() if name not in ("data", "labels", "groups", "options")}
    defaults = {name: getattr(Options(), name) for name in named}
    assert set(named) == set(Options.__dataclass_fields__)
    assert named == {**defaults, "backbones": "auto", "recipe": None}


def test_options_cannot_be_given_twice(cells: Path) -> None:
    with pytest.raises(OptionError, match="'seed' cannot be given beside options"):
        headstart.train(cells, options=Options(), seed=3)


def test_names_shares_and_times_are_read_as_on_the_command_line() -> None:
    options = Options(heads="ridge, probe", backbones="lite0", budget="30s", max_error="2%", min_gain="1%")
    assert (options.heads, options.backbones) == (("ridge", "probe"), ("lite0",))
    assert (options.budget, options.max_error, options.min_gain) == (30.0, 0.02, 0.01)
    assert (Options(strategies="last-1").strategies, Options(strategies="frozen").strategies) == (("last-1",), ())
    both = Options(strategies="probe,last-1")
    assert (both.heads, both.strategies, both.auto) == (("probe",), ("last-1",), False)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"max_unreadable": 5}, r"max_unreadable must lie between 0 and 1; found 5: write 0\.05 or 5%\."),
        ({"min_gain": 0.5}, r"found 0\.5: write 0\.005 or 0\.5%"),
        ({"max_error": 2}, r"found 2: write 0\.02 or 2%"),
        ({"confidence": "95"}, r"found '95': write 0\.95 or 95%"),
        ({"holdout": 20}, r"found 20: write 0\.2 or 20%"),
        ({"budget": 0}, r"budget must be seconds above 0, or a time such as '30s'"),
        ({"budget": "soon"}, r"budget is a time such as 30s"),
        ({"strategies": "rigde"}, r"strategy 'rigde' is not known: did you mean 'ridge'"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_right_spelling(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Options(**wrong)  # type: ignore[arg-type]


def test_a_model_is_not_destroyed(model: Model, folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(OptionError, match="a model lies there already, which would be lost"):
        model.save(folder)
    assert (folder / "manifest.json").read_bytes() == before
    model.save(folder, overwrite=True)


def test_results_are_shown_in_a_few_lines(model: Model, folder: Path, cells: Path) -> None:
    predictions = headstart.predict(folder, cells)
    looked_at = [headstart.audit(cells), headstart.advise(cells), headstart.depth(cells)]
    looked_at += [model.predictor, headstart.embeddings(cells), headstart.evaluate(folder, cells)]
    looked_at += [headstart.drift(folder, cells)]
    shown = [model, predictions, model.predictor.decide(predictions), model.held_out, *looked_at]
    for result in shown:
        assert 1 < len(repr(result).splitlines()) <= 20
        assert result._repr_html_() == f"<pre>{html.escape(repr(result))}</pre>"
    first = [repr(result).splitlines()[0] for result in looked_at]
    assert first[0].startswith("Audit: ")
    assert first[1].startswith("Advice: begin with ")
    assert first[2:5] == [
        "Depth of 2 backbones",
        "Predictor of 2 classes: 'defective', 'functional'",
        "Embeddings of 50 images by efficientnet_lite0, 0 unreadable",
    ]
    assert "The model was trained on " in repr(looked_at[5])  # scores that are too good do not stand without the note
    assert first[6].startswith("Drift: ")
    assert repr(predictions).splitlines()[-1] == "… and 32 more"
    assert model._repr_html_().startswith("<pre>Model: multi-layer ridge on ")
    assert headstart.predict.__doc__
    with pytest.raises(DataError):
        headstart.predict(folder, cells / "nowhere")


def test_a_web_address_is_called_what_it_is(model: Model) -> None:
    for images in (["https://a.org/x.png"], [Path("https://a.org/x.png")]):
        with pytest.raises(DataError, match=r"image 0: https://a\.org/x\.png is a web address: download the images"):
            model.predictor.predict(images)
