"""What a backbone has forgotten is measured on the images given, and nothing is claimed of what was not changed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from headstart.backbones.conversion import convert
from headstart.backbones.deltas import apply_delta
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.data.sources.load import find_images
from headstart.device import Device
from headstart.embed.features import Part
from headstart.errors import DataError
from headstart.heads.forms.linear import Linear
from headstart.model.predictor import Predictor
from headstart.trust.calibration.methods import Calibration
from headstart.verbs.forgetting import ForgettingReport, fine_tuned, forgetting, imagenet_class

CPU = Device("cpu", "f32", "the tests compare numbers")
LATE = ("blocks.5", "blocks.6", "conv_head", "bn2")


def disturbed(amount: float, *starts: str) -> Backbone:
    """lite0 with noise of `amount` of their spread on the tensors whose names start so."""
    lite0, generator = open_backbone("lite0"), np.random.default_rng(0)
    weights = {n: v.numpy() for n, v in convert.state_dict(lite0).items() if n.startswith(starts or LATE)}
    kernels = {name: array for name, array in weights.items() if array.ndim == 4}
    noise = {name: array.std() * generator.standard_normal(array.shape) for name, array in kernels.items()}
    return apply_delta(lite0, {name: array + amount * noise[name] for name, array in kernels.items()})


def model(*backbones: Backbone) -> Predictor:
    width = 1280 * len(backbones)
    zeros = np.zeros(width, np.float32), np.zeros((width, 2), np.float32), np.zeros(2, np.float32)
    parts = tuple(Part(backbone, ("conv_head",)) for backbone in backbones)
    return Predictor(("a", "b"), parts, Linear(*zeros, np.array(0, np.uint8)), Calibration("temperature", 1.0, {}))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An espresso and a rocket in folders of the WordNet ids that lite0 answers, an astronaut in one without."""
    root = tmp_path_factory.mktemp("photographs")
    for folder, picture in [("n07920052", "coffee"), ("n03773504-missile", "rocket"), ("people", "astronaut")]:
        (root / folder).mkdir()
        Image.fromarray(getattr(skimage.data, picture)()).save(root / folder / f"{picture}.png")
    return root


@pytest.fixture(scope="module")
def some_cells(cell_files: dict[str, list[Path]]) -> list[Path]:
    return cell_files["functional"][:6] + cell_files["defective"][:6]


@pytest.fixture(scope="module")
def measure(photographs: Path) -> Callable[..., ForgettingReport]:
    def one(backbone: Backbone, place: Path | Sequence[Path] = photographs) -> ForgettingReport:
        (found,) = forgetting(model(backbone), find_images(place), device=CPU)
        return found

    return one


def test_a_model_that_was_not_fine_tuned_has_forgotten_nothing(photographs: Path) -> None:
    assert fine_tuned(model(open_backbone("lite0"))) == ()
    assert forgetting(model(open_backbone("lite0")), find_images(photographs)) == ()


def test_stages_before_the_first_change_are_unchanged_and_later_ones_drift(
    measure: Callable[..., ForgettingReport], some_cells: list[Path]
) -> None:
    found = measure(disturbed(0.5), some_cells)
    assert (found.backbone, found.images, found.tensors) == ("efficientnet_lite0", 12, 16)
    assert [each.stage for each in found.stages] == ["stem", *(f"blocks.{i}" for i in range(7)), "conv_head"]
    assert [each.unchanged for each in found.stages] == [True] * 6 + [False] * 3
    assert [each.cka for each in found.stages[:6]] == [1.0] * 6
    assert all(each.cka < 0.999 for each in found.stages[6:])
    assert found.failures == ()


def test_more_disturbance_is_more_drift(measure: Callable[..., ForgettingReport], some_cells: list[Path]) -> None:
    found = [measure(disturbed(amount), some_cells).stages[-1].cka for amount in (0.01, 0.2, 0.6)]
    assert 1 > found[0] > found[1] > found[2] > 0
    assert found[0] > 0.99


def test_the_original_head_s_accuracy_is_of_images_whose_class_is_known(
    measure: Callable[..., ForgettingReport],
) -> None:
    slight, strong = measure(disturbed(0.001)).head, measure(disturbed(2.0)).head
    assert slight is not None
    assert strong is not None
    assert slight.agreement.value == 1.0
    assert slight.agreement.low == pytest.approx(0.2924, abs=1e-4), "0.025 ** (1 / 3)"
    assert slight.accuracy is not None
    assert (slight.accuracy.images, slight.accuracy.before.value) == (2, 1.0)
    assert (slight.accuracy.after.value, slight.accuracy.gain.value) == (1.0, 0.0)
    assert strong.agreement.value == 0.0
    assert strong.accuracy is not None
    assert (strong.accuracy.before.value, strong.accuracy.after.value, strong.accuracy.gain.value) == (1.0, 0.0, -1.0)
    assert -1 <= strong.accuracy.gain.low <= strong.accuracy.gain.value <= strong.accuracy.gain.high <= 1


def test_what_is_little_is_said_to_be_little(measure: Callable[..., ForgettingReport], some_cells: list[Path]) -> None:
    first, second = measure(disturbed(0.1)).notes
    assert first.startswith("With 3 images even unrelated features reach a CKA of up to ")
    assert second == (
        "2 of 3 images lie in a folder named by the WordNet id of an ImageNet class (n02085620, say); "
        "the original head's accuracy is of these."
    )
    found = measure(disturbed(0.1), some_cells)
    assert found.head is not None
    assert found.head.accuracy is None
    assert found.notes[-1].startswith("0 of 12 images lie in a folder named")
    assert found.notes[-1].endswith("the original head's accuracy is not known.")


def test_the_head_of_a_backbone_that_is_not_packaged_is_not_known(measure: Callable[..., ForgettingReport]) -> None:
    found = measure(replace(disturbed(0.1), name="mine", packaged=False))
    assert found.head is None
    assert found.notes[-1] == "The original head of mine is not known (only packaged backbones' are)."
    assert len(found.stages) == 9


def test_every_fine_tuned_backbone_is_reported_once(photographs: Path) -> None:
    one, other = disturbed(0.1), disturbed(0.2)
    found = forgetting(model(one, open_backbone("lite0"), other, one), find_images(photographs), device=CPU)
    assert len(found) == 2
    assert found[0].stages[-1].cka > found[1].stages[-1].cka


def test_unreadable_images_are_left_out_and_named(
    measure: Callable[..., ForgettingReport], photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "n07920052").mkdir()
    for i in range(2):
        (tmp_path / "n07920052" / f"{i}.png").write_bytes((photographs / "n07920052" / "coffee.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = measure(disturbed(0.1), tmp_path)
    assert found.images == 2
    assert [Path(failure.name).name for failure in found.failures] == ["broken.png"]
    assert found.head is not None
    assert found.head.accuracy is not None
    assert found.head.accuracy.images == 2


def test_one_picture_is_too_few(measure: Callable[..., ForgettingReport], tmp_path: Path) -> None:
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "one.png")
    (tmp_path / "two.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"on at least 2 images, and 1 of 2 could be read \(.*two.png: .*\): give more"):
        measure(disturbed(0.1), tmp_path)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("val/n02085620/1.jpg", 151),
        ("n02085620/train/1.jpg", 151),
        ("n01440764/n02085620_Chihuahua/1.jpg", 151),
        ("n02085620x/1.jpg", 151),
        ("n020856201/1.jpg", -1),
        ("n99999999/1.jpg", -1),
        ("dogs/n02085620.jpg", -1),
    ],
)
def test_the_nearest_folder_names_the_class(path: str, number: int) -> None:
    assert imagenet_class(Path(path)) == number


def test_a_picture_in_memory_has_no_folder() -> None:
    assert imagenet_class(np.zeros((3, 3, 3), np.uint8)) == -1
