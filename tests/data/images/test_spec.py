"""The specification of a network's input: checked, saved, named by a fingerprint."""

import numpy as np
import pytest

from headstart.data.images.spec import ImageSpec
from headstart.errors import BundleError, OptionError

SPEC = ImageSpec(size=224, resize=256, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


def test_an_empty_batch_takes_what_is_loaded() -> None:
    buffer = SPEC.buffer(3)
    image = SPEC.load(np.full((40, 30, 3), 9, np.uint8))
    assert (buffer.shape, buffer.dtype) == ((3, *image.shape), image.dtype)
    assert not buffer.any()


def test_a_specification_travels_through_json() -> None:
    assert ImageSpec.from_dict(SPEC.to_dict()) == SPEC
    assert SPEC.to_dict()["mean"] == [127.0, 127.0, 127.0]


def test_weights_that_say_nothing_of_squares_are_shown_the_centre() -> None:
    values = SPEC.to_dict()
    assert values.pop("fit") == "crop"
    assert ImageSpec.from_dict(values) == SPEC


def test_a_specification_s_fingerprint_follows_every_field() -> None:
    others = [
        ImageSpec(200, 256, SPEC.mean, SPEC.std),
        ImageSpec(224, 240, SPEC.mean, SPEC.std),
        ImageSpec(224, 256, (126.0, 127.0, 127.0), SPEC.std),
        ImageSpec(224, 256, SPEC.mean, (128.0, 128.0, 127.0)),
        ImageSpec(224, 256, SPEC.mean, SPEC.std, "bilinear"),
        ImageSpec(224, 256, SPEC.mean, SPEC.std, fit="squeeze"),
    ]
    assert len({spec.fingerprint() for spec in [SPEC, *others]}) == 7
    assert SPEC.fingerprint() == ImageSpec.from_dict(SPEC.to_dict()).fingerprint()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "needs 'size' as a whole number from 1 to 8192; found 0"),
        ({"size": True}, "needs 'size' as a whole number"),
        ({"resize": 100_000}, "needs 'resize' as a whole number from 1 to 8192; found 100000"),
        ({"resize": 100}, "cannot crop a square of 224 pixels from a shorter side of 100"),
        ({"mean": [1.0, 2.0]}, "needs 'mean' as three finite numbers"),
        ({"std": [1.0, float("nan"), 1.0]}, "needs 'std' as three finite numbers"),
        ({"std": [1.0, 0.0, 1.0]}, "needs 'std' above zero"),
        ({"interpolation": "magic"}, "needs 'interpolation' to be one of"),
        ({"interpolation": ["bicubic"]}, "needs 'interpolation' to be one of"),
        ({"fit": "stretch"}, r"needs 'fit' to be one of \['crop', 'squeeze', 'pad'\]; found 'stretch'"),
        ({"surprise": 1}, "must have the fields"),
    ],
)
def test_a_damaged_specification_in_a_bundle_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        ImageSpec.from_dict(SPEC.to_dict() | change)


def test_a_specification_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(BundleError, match="found list"):
        ImageSpec.from_dict([1, 2])
    with pytest.raises(OptionError, match="cannot crop a square of 10 pixels from a shorter side of 5"):
        ImageSpec(10, 5, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
