"""A bundle keeps what guarantees rest on; they are given, and refused, in a process without torch or sklearn."""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart
from headstart.demo.screens.generate import generate
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.embed.features import Part
from headstart.errors import BundleError, DataError, OptionError
from headstart.model import bundle
from headstart.model.model import Model
from headstart.model.predictor import Features
from headstart.model.summary import summary
from headstart.pipeline.options import Options
from headstart.pipeline.trust import fit_trust
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from headstart.trust.calibration.choose import choose_calibration
from headstart.trust.calibration.methods import fit_calibration
from headstart.verbs.extend.extend import extend
from headstart.verbs.train.train import train

QUICK = {"backbones": ("efficientnet_lite0",), "heads": ("ridge",), "repeats": 1}
FILE = "trust.safetensors"


@pytest.fixture(scope="module")
def trained(cells: Path) -> Model:
    return train(cells, options=Options(**QUICK, max_error=0.3))


@pytest.fixture(scope="module")
def saved(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trusted") / "model"
    trained.save(folder)
    return folder


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures that are no solar cells."""
    return sorted(generate(tmp_path_factory.mktemp("screens") / "screens", 3, 0).unseen.iterdir())


@pytest.fixture
def rewritten(saved: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy with another entry `trust`, or other arrays, in a manifest that lists them rightly."""

    def write(arrays: dict[str, Any] | None = None, **entry: Any) -> Path:
        opened = bundle.read_bundle(saved)
        kept = {name: value for name, value in opened.manifest.items() if name not in ("format", "schema", "files")}
        kept["trust"] = {**kept["trust"], **entry}
        files = {name: opened.arrays(name) for name in ("head.safetensors", FILE)}
        files[FILE] = {**files[FILE], **(arrays or {})}
        bundle.write_bundle(tmp_path / "model", kept, files)  # type: ignore[arg-type]
        return tmp_path / "model"

    return write


def test_what_the_trained_model_guarantees_the_saved_one_does(trained: Model, saved: Path, cells: Path) -> None:
    opened = headstart.load(saved)
    assert opened.triage().to_dict() == trained.predictor.triage(0.3).to_dict()
    pictures = sorted(cells.glob("*/*.png"))
    one, other = (model.decide(pictures) for model in (opened, trained.predictor))
    assert one.words == other.words
    assert one.guarantee == other.guarantee
    assert np.array_equal(one.predictions.novelty, other.predictions.novelty)


def test_fifty_images_carry_30_percent_and_not_2(saved: Path, cells: Path) -> None:
    model = headstart.load(saved)
    kept = model.decide(sorted(cells.glob("*/*.png")))
    assert kept.feasible
    assert kept.guarantee[0].endswith("% to review.")
    assert "accepted automatically, at most 30 % of them wrong (95 % confidence)" in kept.guarantee[0]
    assert "accept" in kept.words
    refused = model.decide(kept.predictions, max_error=0.02)
    assert set(refused.words) == {"review"}
    assert set(refused.reasons) <= {"no guarantee", "novel"}
    assert refused.guarantee[0].startswith(
        "Nothing can be accepted automatically: at most 2 % wrong with 95 % confidence takes at least 149 accepted "
        "images without an error, of "
    )
    assert " more labelled images would do" in refused.guarantee[0] or "cannot be estimated" in refused.guarantee[0]


def test_what_the_model_was_never_shown_goes_to_review_however_sure_it_is(saved: Path, screens: list[Path]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    found = headstart.load(saved).decide([*screens, noise])
    assert found.words == ("review",) * 4
    assert found.reasons == ("novel",) * 4
    assert (found.predictions.novelty > 1).all()


def test_known_pictures_are_seldom_novel(saved: Path, cells: Path) -> None:
    found = headstart.load(saved).predict(sorted(cells.glob("*/*.png")))
    assert found.novelty is not None
    assert found.novel.mean() <= 0.06


def test_the_manifest_says_what_was_measured(trained: Model) -> None:
    manifest = json.loads(json.dumps(trained.manifest()))
    quality = manifest["scores"]["calibration"]
    assert set(quality["after"]) == {"log_loss", "brier", "calibration_error", "debiased_calibration_error"}
    assert quality["after"]["log_loss"] == pytest.approx(quality["compared"][manifest["head"]["calibration"]["method"]])
    assert quality["left_out"] == {}
    assert manifest["head"]["calibration"]["method"] in ("temperature", "vector")
    assert manifest["head"]["calibration"]["temperature"] == trained.predictor.calibration.temperature
    trust = manifest["trust"]
    assert (trust["file"], trust["predictions"], trust["stored"], trust["held_out"]) == (FILE, 50, 50, 0)
    assert trust["novelty"]["taps"] == ["blocks.5", "blocks.6", "conv_head"]
    assert trust["guarantee"]["max_error"] == 0.3
    assert {row["status"] for row in trust["guarantee"]["classes"]} <= {
        "guaranteed",
        "not shown",
        "violated",
        "none accepted",
    }


def test_the_summary_says_the_guarantee_with_a_line_for_each_class(trained: Model) -> None:
    lines = summary(trained.manifest(), details=True, width=None).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("guarantee  "))
    assert "at most 30 % of them wrong (95 % confidence)" in lines[start]
    assert {line.split()[0] for line in lines[start + 1 : start + 3]} == {"defective", "functional"}
    assert "out-of-fold predictions" in lines[start + 3]
    assert any(line.startswith("calibrated by ") for line in lines)
    assert any(
        re.match(r"novelty    \d+\.\d to \d+\.\d % of known images are flagged as novel", line) for line in lines
    )


def test_sets_are_made_from_the_bundle(saved: Path, cells: Path) -> None:
    model = headstart.load(saved)
    limits = model.sets(0.9)
    assert limits.rows <= 50
    inside = limits.sets(model.predict(sorted(cells.glob("defective/*.png"))).probabilities)
    assert inside.shape == (20, 2)
    assert inside.any(axis=1).all()
    with pytest.raises(DataError, match="need at least 99 labelled images; found "):
        model.sets(0.99)


def test_a_held_out_split_is_kept_and_judges_where_it_is_large_enough(cells: Path, tmp_path: Path) -> None:
    lines = ["file,label,split"]
    for kind in ("defective", "functional"):
        for i, file in enumerate(sorted((cells / kind).iterdir())):
            lines.append(f"{file},{kind},{'test' if i % 2 else 'train'}")
    (tmp_path / "cells.csv").write_text("\n".join(lines) + "\n")
    trained = train(tmp_path / "cells.csv", options=Options(**QUICK))
    trained.save(tmp_path / "model")
    model = headstart.load(tmp_path / "model")
    assert trained.manifest()["trust"]["held_out"] == len(model.trust.held_out) == 25
    assert model.triage(0.4).basis == "held out"  # 6 accepted without an error are needed, of which 18 are three times
    assert model.triage(0.4).sentences()[-1] == "Tested on 25 images that took no part in training."
    assert model.triage(0.3).basis == "out of fold"  # 9
    assert trained.manifest()["trust"]["guarantee"] is None
    with pytest.raises(OptionError, match="no guarantee is asked for, and the model was trained without one"):
        model.triage()


def test_without_kept_rows_no_rows_are_kept_for_novelty_either(cells: Path, tmp_path: Path) -> None:
    trained = train(cells, options=Options(**QUICK, keep_training=False))
    trained.save(tmp_path / "model")
    opened = bundle.read_bundle(tmp_path / "model")
    assert "training.safetensors" not in opened.manifest["files"]
    kept = {name: array for name, array in opened.arrays(FILE).items() if name.startswith("novelty.")}
    assert opened.manifest["trust"]["novelty"]["kind"] == "layers"
    assert all(50 not in array.shape for array in kept.values())


def test_novelty_looks_at_three_layers_though_the_head_looks_at_the_last_alone(cells: Path, tmp_path: Path) -> None:
    lines = ["file,label,split"]
    for kind in ("defective", "functional"):
        files = sorted((cells / kind).iterdir())
        lines += [f"{file},{kind},{'train' if i % 4 else 'test'}" for i, file in enumerate(files)]
    (tmp_path / "cells.csv").write_text("\n".join(lines) + "\n")
    trained = train(tmp_path / "cells.csv", options=Options(**{**QUICK, "heads": ("lda",)}))
    trained.save(tmp_path / "model")
    model = headstart.load(tmp_path / "model")
    assert model.parts[0].taps == ("conv_head",)
    assert [layer.width for layer in model.trust.novelty.form.layers] == [192, 320, 1280]
    pictures = [tmp_path / "nowhere.png", *(file for kind in cells.iterdir() for file in sorted(kind.iterdir())[::4])]
    found = model.predict(pictures)
    assert [failure.row for failure in found.failures] == [0]
    exact = choose_device(precision="f32")  # as predictions are made
    layers = embed(pictures, model.parts[0].backbone, device=exact).joined(model.novelty_taps)
    assert found.labels[0] is None
    assert np.isnan(found.novelty[0])
    assert np.array_equal(found.novelty[1:], model.trust.novelty.relative(layers))
    assert found.novel.sum() == model.trust.held_out.novel.sum()
    without = model.answer(Features(layers[:, -1280:], ("",) * len(layers), layers=layers))
    assert np.array_equal(without.novelty, found.novelty[1:])


def test_novelty_needs_no_further_layers_where_the_head_looks_at_them(trained: Model) -> None:
    backbone = trained.predictor.parts[0].backbone
    several, last = (tuple(tap.name for tap in backbone.taps[-count:]) for count in (5, 1))
    parts = (Part(backbone, several), Part(backbone, last))
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    X = rng.normal(size=(60, sum(part.width for part in parts))).astype(np.float32)
    scores = rng.normal(size=(1, 60, 2)).astype(np.float32)
    folds = np.arange(60)[None] // 2 % 5
    chosen = choose_calibration(scores, labels, folds, methods=("temperature",))
    found = fit_trust(chosen, Rows(Classes(labels, ("a", "b")), folds, X=X), parts)
    seen = X[:, 80 + 112 : 80 + 112 + 192 + 320 + 1280]
    model = replace(trained.predictor, parts=parts, form=_Zeros(), trust=found.record)
    assert model.novelty_taps == ("blocks.5", "blocks.6", "conv_head")
    assert np.array_equal(model.answer(Features(X, ("",) * 60)).novelty, found.record.novelty.relative(seen))


class _Zeros:
    """A head that cannot tell."""

    def scores(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), 2), np.float32)


def test_a_bundle_without_evidence_predicts_and_guarantees_nothing(saved: Path, cells: Path, tmp_path: Path) -> None:
    opened = bundle.read_bundle(saved)
    kept = {
        name: value for name, value in opened.manifest.items() if name not in ("format", "schema", "files", "trust")
    }
    bundle.write_bundle(tmp_path / "model", kept, {"head.safetensors": opened.arrays("head.safetensors")})
    bare = headstart.load(tmp_path / "model")
    assert bare.predict(sorted(cells.glob("defective/*.png"))[:2]).novelty is None
    with pytest.raises(DataError, match="this model holds no evidence for a guarantee"):
        bare.triage(0.02)
    with pytest.raises(DataError, match="this model holds no evidence"):
        bare.sets(0.9)


def test_vector_scaling_is_saved_and_applied(trained: Model, cells: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 2))
    richer = fit_calibration("vector", scores, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1))
    replace(trained, predictor=replace(trained.predictor, calibration=richer)).save(tmp_path / "model")
    pictures = sorted(cells.glob("*/*.png"))[:5]
    opened = headstart.load(tmp_path / "model")
    assert opened.calibration.method == "vector"
    wanted = replace(trained.predictor, calibration=richer).predict(pictures).probabilities
    assert np.array_equal(opened.predict(pictures).probabilities, wanted)


@pytest.mark.parametrize(
    "calibration",
    [None, [], {"method": "magic"}, {"method": "vector", "temperature": 1, "parameters": {}, "blend": 0}, "none"],
)
def test_a_calibration_that_is_none_is_refused(calibration: object, saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    manifest["head"]["calibration"] = calibration
    (tmp_path / "model/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="the saved calibration is damaged"):
        headstart.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"file": "../elsewhere.safetensors"}, "names a file '../elsewhere.safetensors' that it does not list"),
        ({"file": 1}, "names a file 1 that it does not list"),
        ({"file": "head.safetensors"}, "it holds "),
        ({"novelty": None}, "a novelty score of which the manifest says nothing"),
        ({"novelty": {"kind": "magic", "taps": ["conv_head"]}}, "the saved novelty score is of the kind 'magic'"),
        ({"novelty": []}, "is damaged"),
        ({"novelty": {"kind": "layers"}}, r"is damaged \(KeyError: 'taps'\)"),
        (
            {"novelty": {"kind": "layers", "taps": ["conv_head"]}},
            "it looks at 1792 numbers, and its layers give 1280",
        ),
        ({"novelty": {"kind": "layers", "taps": []}}, r"it names the taps \[\], and efficientnet_lite0 has"),
        ({"novelty": {"kind": "layers", "taps": ["secret"]}}, r"it names the taps \['secret'\], and"),
        ({"novelty": {"kind": "layers", "taps": "conv_head"}}, "it names the taps 'conv_head', and"),
        ({"novelty": {"kind": "layers", "taps": [["conv_head"]]}}, "is damaged"),
        ({"guarantee": {"max_error": 7, "confidence": 0.95, "scope": "all"}}, "must lie between"),
        ({"guarantee": {"max_error": "little", "confidence": 0.95, "scope": "all"}}, "is damaged"),
        ({"guarantee": {"max_error": 0.1, "confidence": 0.95, "scope": "x"}}, "a guarantee of the scope 'x'"),
        ({"guarantee": 5}, "is damaged"),
    ],
)
def test_an_entry_that_is_none_is_refused(entry: dict[str, Any], said: str, rewritten: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=said):
        headstart.load(rewritten(**entry))


def test_arrays_are_not_taken_on_trust(rewritten: Callable[..., Path]) -> None:
    with pytest.raises(
        BundleError, match="the saved evidence for guarantees cannot be used: its predictions are not about"
    ):
        headstart.load(rewritten({"out_of_fold.labels": np.full(50, 9)}))


def test_a_damaged_file_is_refused_by_its_fingerprint(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    content = bytearray((tmp_path / "model" / FILE).read_bytes())
    content[-1] ^= 1
    (tmp_path / "model" / FILE).write_bytes(content)
    with pytest.raises(BundleError, match=r"trust.safetensors is damaged \(its content differs\)"):
        headstart.load(tmp_path / "model")


def test_an_extended_model_keeps_its_guarantee_with_the_new_class_in_it(
    saved: Path, screens: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "new/screen").mkdir(parents=True)
    for file in screens:
        shutil.copy(file, tmp_path / "new/screen" / file.name)
    extend(saved, tmp_path / "new").save(tmp_path / "model")
    model = headstart.load(tmp_path / "model")
    assert len(model.trust.out_of_fold) == 53
    assert model.trust.default_guarantee == headstart.load(saved).trust.default_guarantee
    assert [each.name for each in model.triage().classes] == ["defective", "functional", "screen"]


def test_guarantees_need_scipy_and_predictions_do_not(saved: Path, cells: Path) -> None:
    image = next((cells / "defective").iterdir())
    code = (
        f"import sys, headstart\nmodel = headstart.load({str(saved)!r})\nfound = model.predict([{str(image)!r}])\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'timm', 'pandas'}\nassert found.novelty is not None\n"
        "print(sorted(heavy & set(sys.modules)))\nmodel.decide(found)\nprint(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['scipy']"]


def test_a_fine_tuned_network_has_no_novelty_and_many_answers_are_thinned(trained: Model) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(1, 25_000, 2)).astype(np.float32)
    labels = (scores[0] + rng.gumbel(size=(25_000, 2))).argmax(axis=1)
    folds = np.arange(25_000)[None] % 2
    chosen = choose_calibration(scores, labels, folds, methods=("temperature",))
    found = fit_trust(chosen, Rows(Classes(labels, ("a", "b")), folds), trained.predictor.parts)
    assert found.record.novelty is None
    assert found.notes[0].startswith(
        "There is no novelty score and no test for covariate shift: the network was fine-tuned on these"
    )
    assert found.notes[1] == "Of 25,000 out-of-fold predictions 20,000 are stored to test guarantees on."
    assert len(found.record.out_of_fold) == found.to_dict(("a", "b"))["stored"] == 20_000
    kept = np.bincount(found.record.out_of_fold.labels) / 20_000
    assert kept.tolist() == pytest.approx((np.bincount(labels) / 25_000).tolist(), abs=1e-4)


def test_a_run_without_limit_can_be_saved(trained: Model, tmp_path: Path) -> None:
    replace(trained, training=Options(budget=math.inf).training).save(tmp_path / "model")
    assert bundle.read_bundle(tmp_path / "model").manifest["training"]["options"]["budget"] == "none"


def test_a_single_path_and_too_few_names_are_refused(trained: Model, cells: Path) -> None:
    with pytest.raises(OptionError, match=r"images must be a list of images; found the single path 'cat\.jpg'"):
        trained.predictor.predict("cat.jpg")
    with pytest.raises(OptionError, match="the single path"):
        trained.predictor.decide(cells)
    with pytest.raises(OptionError, match="names must be one for each of the 2 images; found 1"):
        trained.predictor.predict(sorted(cells.glob("*/*.png"))[:2], names=["one"])
