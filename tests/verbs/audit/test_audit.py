"""The audit of real photographs: planted faults are found, each with a sentence and a proposal."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.data.cleaning_plan import exclude_rows, read_plan
from headstart.data.sources.load import load_dataset
from headstart.errors import OptionError
from headstart.pipeline.probe import accuracy_claims
from headstart.verbs.audit.audit import audit
from headstart.verbs.audit.findings import (
    CLASSES,
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    KINDS,
    LEAK,
    MISLABEL,
    NEAR,
    UNREADABLE,
    Audit,
)


@pytest.fixture(scope="module")
def spoilt(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs with a turned copy, an exact copy, a turned copy in the other class, a black and a broken one."""
    root = tmp_path_factory.mktemp("audit") / "cells"
    shutil.copytree(cells, root)
    good = sorted((root / "functional").iterdir())
    bad = sorted((root / "defective").iterdir())
    Image.open(good[0]).transpose(Image.Transpose.ROTATE_90).save(root / "functional" / "turned.png")
    shutil.copy(good[1], root / "functional" / "same.png")
    Image.open(bad[2]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "functional" / "other.png")
    Image.new("L", (300, 300), 2).save(root / "defective" / "black.png")
    (root / "defective" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


@pytest.fixture(scope="module")
def found(spoilt: Path) -> Audit:
    return audit(spoilt)


def of(found: Audit, name: str) -> dict[str, tuple[str, str]]:
    return {each.kind: (each.sentence, each.proposal) for each in found.findings if each.name == name}


def test_an_unreadable_image_is_to_be_excluded(found: Audit) -> None:
    ((sentence, proposal),) = of(found, "defective/broken.png").values()
    assert sentence.startswith("It cannot be read: ")
    assert proposal == "exclude"
    assert [each.name for each in found.of(UNREADABLE)] == ["defective/broken.png"]


def test_copies_are_to_be_grouped_with_what_they_repeat(found: Audit, spoilt: Path) -> None:
    first, second = sorted(path.name for path in (spoilt / "functional").glob("cell*"))[:2]
    copies = {
        each.kind: each for each in found.findings if each.kind in (EXACT, NEAR) and "cell" in each.of + each.name
    }
    same = next(each for each in found.of(EXACT))
    assert {same.name, same.of} == {"functional/same.png", f"functional/{second}"}
    assert same.sentence == f"It has the same bytes as {same.of}."
    turned = next(each for each in found.of(NEAR) if "functional/turned.png" in (each.name, each.of))
    assert {turned.name, turned.of} == {"functional/turned.png", f"functional/{first}"}
    assert turned.sentence == f"It is a near copy of {turned.of}, perhaps turned, mirrored or cropped (alike 1.00)."
    assert {each.proposal for each in copies.values()} == {"group"}


def test_near_copies_in_two_classes_are_for_a_person(found: Audit, spoilt: Path) -> None:
    original = sorted(path.name for path in (spoilt / "defective").glob("cell*"))[2]
    assert of(found, "functional/other.png")[CONTRADICTION] == (
        f"It is in 'functional', and a near copy of it, defective/{original}, is in 'defective'.",
        "look at",
    )
    assert CONTRADICTION in of(found, f"defective/{original}")


def test_a_black_image_is_named(found: Audit) -> None:
    assert of(found, "defective/black.png")["near-black"] == (
        "It is nearly black: its grey levels run from 2 to 2 of 0 to 255.",
        "look at",
    )


def test_groups_hold_copies_together_and_the_naive_claim_is_measured(found: Audit, spoilt: Path) -> None:
    names = list(load_dataset(spoilt).samples.names)
    same = [names.index(found.of(EXACT)[0].name), names.index(found.of(EXACT)[0].of)]
    assert len(set(found.groups[same].tolist())) == 1
    assert len(set(found.groups.tolist())) < found.images == 55
    assert found.claims is not None
    assert 0.5 < found.claims.group_aware.value <= 1
    assert found.notes[0].startswith("The data name no groups: where images come in series")


def test_findings_are_ordered_and_written_as_csv_and_json(found: Audit, tmp_path: Path) -> None:
    order = [KINDS.index(each.kind) for each in found.findings]
    assert order == sorted(order)
    found.write_csv(tmp_path / "all.csv")
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert [(row["path"], row["kind"], row["proposal"]) for row in rows] == [
        (each.name, each.kind, each.proposal) for each in found.findings
    ]
    facts = json.loads(json.dumps(found.to_dict()))
    assert facts["counts"][EXACT] == 1
    assert facts["images"] == 55


def test_the_plan_can_be_followed(found: Audit, spoilt: Path, tmp_path: Path) -> None:
    found.write_plan(tmp_path / "plan.csv", duplicates=True)
    lines = {line.path: line for line in found.plan(duplicates=True)}
    assert lines["defective/broken.png"].action == "exclude"
    assert lines["defective/black.png"].action == "keep"
    samples, notes = exclude_rows(load_dataset(spoilt).samples, read_plan(tmp_path / "plan.csv"))
    assert notes == ("Left out by the plan: 1 image.", "Held together by the plan: 12 images in 6 groups.")
    assert samples.groups is not None
    place = {name: row for row, name in enumerate(samples.names)}
    same = found.of(EXACT)[0]
    assert samples.groups[place[same.name]] == samples.groups[place[same.of]]


def test_the_plan_holds_no_duplicates_that_need_nothing_from_the_reader(found: Audit, spoilt: Path) -> None:
    original = sorted(path.name for path in (spoilt / "defective").glob("cell*"))[2]
    lines = {line.path: (line.action, line.group) for line in found.plan()}
    doubtful = {finding.name for finding in found.findings if finding.proposal == "look at"}
    assert {name for name, (action, _) in lines.items() if action == "keep"} == doubtful
    assert {name for name, (action, _) in lines.items() if action == "exclude"} == {"defective/broken.png"}
    assert {f"defective/{original}", "functional/other.png", "defective/black.png"} <= doubtful
    assert {group for _, group in lines.values()} == {""}
    assert "functional/same.png" not in lines


def test_more_label_issues_than_can_be_are_classes_that_are_wrong(cell_files: dict[str, list[Path]]) -> None:
    files = [*cell_files["functional"][:12], *cell_files["defective"][:12]]
    labels = [name for _ in range(12) for name in ("a", "b")]
    result = audit(files, labels)
    (finding,) = result.of(CLASSES)
    assert result.of(MISLABEL) == ()
    assert finding.sentence.startswith(f"{round(finding.severity * 24)} of 24 labels (")
    assert (
        "So many are not wrong labels: the classes look alike, or are no classes (splits, dates, " in finding.sentence
    )
    assert "all labels" not in {line.path for line in result.plan()}


def test_a_copy_in_a_split_that_is_measured_on_is_a_leak(cell_files: dict[str, list[Path]]) -> None:
    files = cell_files["functional"][:4] + cell_files["defective"][:4]
    turned = np.asarray(Image.open(files[0]).transpose(Image.Transpose.ROTATE_180))
    splits = np.array(["train"] * 8 + ["test"])
    loaded = load_dataset([*files, turned], labels=["good"] * 4 + ["bad"] * 4 + ["good"])
    from dataclasses import replace

    found = audit(replace(loaded, samples=replace(loaded.samples, splits=splits)))
    (leak,) = found.of(LEAK)
    assert leak.sentence == (
        f"It is in train, and a copy of it, {loaded.samples.names[8]}, is in test: a score there would be too good."
    )
    assert (leak.name, leak.proposal) == (loaded.samples.names[0], "exclude")


def test_a_flipped_label_is_found() -> None:
    """Pictures of two kinds that any model tells apart; one of them is under the wrong class."""
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(15)]
    smooth = [np.asarray(Image.fromarray(each[:4, :4]).resize((64, 64))) for each in noise]
    labels = ["noise"] * 15 + ["smooth"] * 15
    labels[20] = "noise"
    found = audit([*noise, *smooth], labels=labels, cache=False)
    (wrong,) = found.of(MISLABEL)
    assert (wrong.name, wrong.proposal) == ("image 20", "look at")
    assert wrong.sentence.startswith("It is labelled 'noise'; a model that has not seen it says 'smooth' (")
    assert wrong.severity > 0.5


def test_a_single_class_is_audited_without_its_labels(cell_files: dict[str, list[Path]]) -> None:
    found = headstart.audit(cell_files["functional"][:3], labels=["good"] * 3)
    assert found.images == 3
    assert found.claims is None
    assert found.notes[-1].startswith("Labels were not checked: there is only one class, 'good'")


def test_a_small_class_beside_a_large_one_is_named(cell_files: dict[str, list[Path]]) -> None:
    files = cell_files["functional"][:10] + cell_files["defective"][:2]
    found = audit(files, labels=["good"] * 10 + ["bad"] * 2)
    (small,) = found.of(IMBALANCE)
    assert (small.name, small.sentence) == (
        "bad",
        "It has 2 images, the largest class, 'good', 10: add images of it, or train with --class-weight balanced.",
    )
    assert "bad" not in {line.path for line in found.plan()}


def test_a_few_copies_are_no_reason_to_measure_twice(cells: Path) -> None:
    """Folds that are laid anew move the accuracy of so few images more than one copy does."""
    files = [path for path in sorted(cells.rglob("*.png")) if int(path.stem[4:]) % 3 == 0]
    found = audit([*files, files[0]], labels=[path.parent.name for path in [*files, files[0]]])
    assert len(found.of(EXACT)) == 1
    assert (found.claims is None) == (len(found.of(EXACT)) + len(found.of(NEAR)) < 0.05 * found.images)


def test_the_claims_have_intervals() -> None:
    right = np.tile(np.eye(2, dtype=np.float32), (20, 1))
    labels = np.arange(40) % 2
    both = accuracy_claims(right, right[::-1], labels)
    assert (both.leaky.value, both.group_aware.value) == (1.0, 0.0)
    assert both.leaky.low == pytest.approx(0.912, abs=1e-3)


def test_a_plan_that_may_hold_edits_is_not_overwritten(found: Audit, tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("edited")
    with pytest.raises(OptionError, match=r"plan\.csv' is there already and may hold edits: name another file\."):
        found.write_plan(tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").read_text() == "edited"


def test_data_of_which_nothing_is_left_to_train_on_are_named_so(cell_files: dict[str, list[Path]]) -> None:
    one = cell_files["functional"][0]
    found = audit([one] * 4, ["a", "b", "a", "b"])
    assert found.hindrance == (
        "no image can be read and has a label that its exact duplicates share: mend the files or labels."
    )
    assert f"Labels were not checked: {found.hindrance}" in found.notes


@pytest.mark.parametrize("seed", [-1, 2**32, "0", None])
def test_a_seed_that_is_none_is_refused(seed: object, cells: Path) -> None:
    with pytest.raises(OptionError, match=r"seed must lie between 0 and 4294967295; found "):
        audit(cells, seed=seed)  # type: ignore[arg-type]


def test_a_path_that_is_listed_twice_is_not_to_be_excluded(cell_files: dict[str, list[Path]], tmp_path: Path) -> None:
    """A plan goes by path: it would take the test image away with its copy in the training split."""
    files = [*cell_files["functional"][:10], *cell_files["defective"][:10]]
    words = [*["functional"] * 10, *["defective"] * 10]
    rows = [f"{file},{word},train" for file, word in zip(files, words, strict=True)]
    table = tmp_path / "cells.csv"
    table.write_text(
        "\n".join(["path,label,split", *rows, f"{files[0]},functional,test", f"{files[10]},defective,test"])
    )
    found = audit(table)
    assert len(found.of("leak across splits")) == 2
    (line, _) = [line for line in found.plan() if line.path.endswith((files[0].name, files[10].name))]
    assert line.action == "keep"
    assert line.reason.startswith("It is listed more than once")
