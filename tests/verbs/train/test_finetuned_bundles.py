"""A model whose backbone was fine-tuned is saved, opened and used like any other; a wrong one is refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save

import headstart
from headstart import fingerprint
from headstart.backbones.conversion import convert
from headstart.backbones.deltas import apply_delta, without_delta
from headstart.backbones.graph import Backbone, read_backbone
from headstart.backbones.opening import open_backbone
from headstart.cli import evaluate, info, predict
from headstart.data.sources.load import load_dataset
from headstart.device import Device
from headstart.embed.features import Part
from headstart.errors import BundleError
from headstart.model.model import Model
from headstart.storage.row_cache import RowCache
from headstart.verbs.evaluate import evaluate as evaluated

NAME = "efficientnet_lite0"
FILE = f"{NAME}.delta.safetensors"
CPU = Device("cpu", "f32", "the tests compare numbers")


def tuned_backbone(seed: int = 0) -> Backbone:
    """lite0 with its last stages' tensors a few per cent larger or smaller."""
    lite0, generator = open_backbone("lite0"), np.random.default_rng(seed)
    arrays = {n: v.numpy() for n, v in convert.state_dict(lite0).items() if n.startswith(("blocks.6", "bn2"))}
    floats = {name: array for name, array in arrays.items() if array.dtype == np.float32}
    return apply_delta(lite0, {n: a * (1 + 0.05 * generator.standard_normal(a.shape)) for n, a in floats.items()})


@pytest.fixture(scope="module")
def plain(trained: Model) -> Model:
    return trained


def on(trained: Model, *backbones: Backbone) -> Model:
    """The same model with its head on other backbones; with several of them the head is repeated."""
    part, form = trained.predictor.parts[0], trained.predictor.form
    arrays = form.to_arrays()
    wide = replace(
        form,
        centre=np.tile(arrays["centre"], len(backbones)),
        weight=np.tile(arrays["weight"], (len(backbones), 1)),
    )
    parts = tuple(Part(backbone, part.taps) for backbone in backbones)
    return replace(trained, predictor=replace(trained.predictor, parts=parts, form=wide))


@pytest.fixture(scope="module")
def tuned(plain: Model) -> Model:
    return on(plain, tuned_backbone())


@pytest.fixture(scope="module")
def saved(tuned: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "model"
    tuned.save(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(cell_files: dict[str, list[Path]]) -> list[Path]:
    return cell_files["functional"][:4]


def test_only_the_changed_tensors_are_saved_beside_the_head(saved: Path, tuned: Model) -> None:
    assert sorted(path.name for path in saved.iterdir()) == [
        FILE,
        "golden.safetensors",
        "head.safetensors",
        "manifest.json",
    ]
    manifest = json.loads((saved / "manifest.json").read_text())
    (entry,) = manifest["backbones"]
    assert (entry["name"], entry["packaged"], entry["delta"]) == (NAME, True, FILE)
    assert entry["weights"] == tuned.predictor.parts[0].backbone.weights != open_backbone(NAME).weights
    assert FILE in manifest["files"]
    assert (saved / FILE).stat().st_size < 2_500_000, "717,000 matrix numbers of two bytes, and norms"


def test_the_opened_model_predicts_what_the_trained_one_does(
    saved: Path, tuned: Model, plain: Model, pictures: list[Path]
) -> None:
    opened = headstart.load(saved)
    assert opened.parts == tuned.predictor.parts
    found = opened.predict(pictures, device=CPU).probabilities
    assert np.array_equal(found, tuned.predictor.predict(pictures, device=CPU).probabilities)
    assert not np.allclose(found, plain.predictor.predict(pictures, device=CPU).probabilities, atol=1e-3)


def test_an_unchanged_model_is_saved_as_before(plain: Model, tmp_path: Path) -> None:
    plain.save(tmp_path / "model")
    names = ["golden.safetensors", "head.safetensors", "manifest.json", "training.safetensors", "trust.safetensors"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == names
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["backbones"][0]["delta"] is None
    assert headstart.load(tmp_path / "model").parts == plain.predictor.parts


def test_the_same_changes_give_the_same_bytes(saved: Path, tuned: Model, tmp_path: Path) -> None:
    tuned.save(tmp_path / "again")
    assert (tmp_path / "again" / FILE).read_bytes() == (saved / FILE).read_bytes()


def test_a_model_may_be_saved_over_the_folder_that_it_came_from(saved: Path, tuned: Model, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    replace(tuned, predictor=headstart.load(tmp_path / "model")).save(tmp_path / "model", overwrite=True)
    assert headstart.load(tmp_path / "model").parts == tuned.predictor.parts


def test_evaluating_with_and_without_a_cache_gives_the_same(saved: Path, cells: Path, tmp_path: Path) -> None:
    opened, samples = headstart.load(saved), load_dataset(cells).samples
    cache = RowCache(tmp_path / "rows.sqlite")
    first, again = (opened.predict(samples.items, device=CPU, cache=cache) for _ in range(2))
    assert np.array_equal(first.probabilities, again.probabilities)
    assert evaluated(opened, samples, device="cpu").images == 50


def test_the_verbs_work_on_it(saved: Path, cells: Path) -> None:
    run = CliRunner()
    answers = run.invoke(predict.command, [str(saved), str(cells), "--csv"], catch_exceptions=False)
    assert answers.exit_code == 0
    assert len(answers.output.splitlines()) == 51
    assert run.invoke(evaluate.command, [str(saved), str(cells)], catch_exceptions=False).exit_code == 0
    assert "result" in run.invoke(info.command, [str(saved)], catch_exceptions=False).output


def test_two_versions_of_a_backbone_have_a_file_each(plain: Model, pictures: list[Path], tmp_path: Path) -> None:
    one, other = tuned_backbone(0), tuned_backbone(1)
    on(plain, one, other, without_delta(one), one).save(tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    second = f"{NAME}-2.delta.safetensors"
    assert [entry["delta"] for entry in manifest["backbones"]] == [FILE, second, None, FILE]
    opened = headstart.load(tmp_path / "model")
    assert [part.backbone for part in opened.parts] == [one, other, without_delta(one), one]
    assert opened.predict(pictures, device=CPU).probabilities.shape == (4, 2)


def test_a_backbone_that_is_not_packaged_is_saved_with_its_graph_and_its_changes(
    plain: Model, pictures: list[Path], tmp_path: Path
) -> None:
    source = open_backbone(NAME)
    for suffix in (".onnx", ".json"):
        shutil.copy(source.graph.with_suffix(suffix), tmp_path / f"own{suffix}")
    own = replace(read_backbone(tmp_path, "own"), name="own")
    tuned = tuned_backbone()
    assert tuned.delta is not None
    mine = replace(own, delta=tuned.delta, weights=tuned.weights)
    on(plain, mine).save(tmp_path / "model")
    names = ["golden.safetensors", "head.safetensors", "manifest.json", "own.delta.safetensors", "own.json", "own.onnx"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == names
    found = headstart.load(tmp_path / "model").predict(pictures, device=CPU)
    wanted = on(plain, tuned).predictor.predict(pictures, device=CPU)
    assert np.array_equal(found.probabilities, wanted.probabilities)


# wrong models --------------------------------------------------------------------------------------------------------


@pytest.fixture
def altered(saved: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy with another value in its backbone's entry, or with other changes that the manifest promises."""

    def alter(*, content: bytes | None = None, honest: bool = False, **entry: Any) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(saved, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["backbones"][0].update(entry)
        if content is not None:
            (folder / FILE).write_bytes(content)
            mark = fingerprint.hash_bytes(content)
            manifest["files"][FILE] = {"bytes": len(content), "fingerprint": mark}
            if honest:
                manifest["backbones"][0]["weights"] = fingerprint.hash_parts(open_backbone(NAME).weights, mark)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return alter


def test_a_manifest_of_before_fine_tuning_still_opens(plain: Model, tmp_path: Path) -> None:
    plain.save(tmp_path / "model")
    path = tmp_path / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["backbones"][0]["delta"]
    path.write_text(json.dumps(manifest))
    assert headstart.load(tmp_path / "model").parts == plain.predictor.parts


@pytest.mark.parametrize("name", [None, False])
def test_a_model_that_forgot_its_changes_is_refused(altered: Callable[..., Path], name: object) -> None:
    with pytest.raises(BundleError, match=r"was trained on other weights|names a file False that it does not list"):
        headstart.load(altered(delta=name))


@pytest.mark.parametrize("name", ["../../secret.safetensors", "/etc/passwd", "none.safetensors", "", 7, [], {"a": 1}])
def test_a_strange_name_of_the_changes_is_refused(altered: Callable[..., Path], name: object) -> None:
    with pytest.raises(BundleError, match=r"names a file .* that it does not list|the manifest of .* is damaged"):
        headstart.load(altered(delta=name))


def test_another_file_in_their_place_is_refused(altered: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=r"was trained on other weights of efficientnet_lite0|cannot be used"):
        headstart.load(altered(delta="head.safetensors"))


def test_absent_and_damaged_changes_are_refused(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    path = tmp_path / "model" / FILE
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    with pytest.raises(BundleError, match=r"is truncated or changed"):
        headstart.load(tmp_path / "model")
    path.write_bytes(content[:-7] + b"changed")
    with pytest.raises(BundleError, match=r"is damaged \(its content differs\)"):
        headstart.load(tmp_path / "model")
    path.unlink()
    with pytest.raises(BundleError, match=r"lacks its file efficientnet_lite0.delta.safetensors"):
        headstart.load(tmp_path / "model")


def test_other_changes_than_the_model_was_trained_with_are_refused(altered: Callable[..., Path]) -> None:
    other = tuned_backbone(7).delta
    assert other is not None
    with pytest.raises(BundleError, match="was trained on other weights of efficientnet_lite0"):
        headstart.load(altered(content=other.content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not safetensors", "it is not a whole safetensors file"),
        (save({}), "the file holds none"),
        (save({"bn2.bias": np.full(1280, np.nan, np.float32)}), "'bn2.bias' holds numbers that are not finite"),
        (save({"bn2.bias": np.zeros(1280, np.int32)}), "'bn2.bias' holds int32 numbers"),
    ],
)
def test_hostile_changes_are_refused_when_the_model_is_opened(
    altered: Callable[..., Path], content: bytes, said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        headstart.load(altered(content=content, honest=True))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"bn2.bias": np.zeros(3, np.float32)}, r"'bn2.bias' has the shape \(3,\), in the network \(1280,\)"),
        ({"elsewhere": np.zeros(3, np.float32)}, "the network has no tensor 'elsewhere'"),
    ],
)
def test_changes_that_the_graph_does_not_hold_are_refused_when_it_is_used(
    altered: Callable[..., Path], pictures: list[Path], arrays: dict[str, np.ndarray], said: str
) -> None:
    opened = headstart.load(altered(content=save(arrays), honest=True))
    with pytest.raises(BundleError, match=said):
        opened.predict(pictures)
