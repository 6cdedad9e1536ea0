"""ImageNet's classes are in the order of the packaged backbones' answers."""

import numpy as np
import pytest
import skimage.data
import timm

from headstart.backbones.imagenet import classes, with_head
from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED
from headstart.device import Device
from headstart.embed.extract import embed
from headstart.errors import BackboneError

CPU = Device("cpu", "f32", "the tests compare numbers")


def test_the_ids_are_those_of_the_usual_order() -> None:
    names = timm.data.ImageNetInfo()
    assert list(classes()) == names.label_names()
    assert names.label_name_to_description(classes()[967]) == "espresso"


@pytest.mark.parametrize("name", PACKAGED)
def test_the_head_is_one_more_tap_and_leaves_the_others_as_they_are(name: str) -> None:
    backbone = open_backbone(name)
    pictures = [skimage.data.coffee(), skimage.data.chelsea()]
    found = embed(pictures, with_head(backbone), device=CPU)
    assert [*found.taps] == [*(tap.name for tap in backbone.taps), "logits"]
    assert found.taps["logits"].shape == (2, 1000)
    assert classes()[found.taps["logits"][0].argmax()] == "n07920052", "coffee.png shows an espresso"
    plain = embed(pictures, backbone, device=CPU)
    for tap, rows in plain.taps.items():
        np.testing.assert_allclose(found.taps[tap], rows, rtol=1e-5, atol=1e-5)


def test_both_engines_give_the_head_s_answers() -> None:
    from headstart.embed.openvino_engine import OpenVINOEngine
    from headstart.embed.torch_engine import TorchEngine

    backbone = with_head(open_backbone("lite0"))
    engine = TorchEngine(backbone, CPU)
    images = np.zeros((engine.batch, 224, 224, 3), np.uint8)
    images[0] = backbone.spec.load(skimage.data.coffee())
    rows, wanted = engine.run(images, 1), OpenVINOEngine(backbone, precision="f32", batch=1).run(images[:1], 1)
    assert rows.shape == wanted.shape == (1, 2096 + 1000)
    assert np.abs(rows - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_a_head_that_is_not_known_is_not_made_up() -> None:
    from dataclasses import replace

    with pytest.raises(BackboneError, match="the original head of mine is not known: only packaged backbones' heads"):
        with_head(replace(open_backbone("lite0"), name="mine", packaged=False))
