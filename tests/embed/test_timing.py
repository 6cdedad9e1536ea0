"""The time of an image is measured on real photographs, and on no more of them than needed."""

from pathlib import Path

from headstart.backbones.opening import open_backbone
from headstart.device import choose_device
from headstart.embed import timing
from headstart.embed.timing import seconds_per_image


def test_an_image_takes_some_time(cell_files: dict[str, list[Path]]) -> None:
    found = seconds_per_image(cell_files["defective"], open_backbone("lite0"), choose_device("cpu"), enough=0.01)
    assert 0.0005 < found < 5


def test_few_images_are_enough_and_many_are_not_all_read(cell_files: dict[str, list[Path]], monkeypatch) -> None:
    runs: list[list[int]] = []
    run = timing.batching.run_batches

    def noted(load, wanted, size, engine):
        runs.append(list(wanted))
        return run(load, wanted, size, engine)

    monkeypatch.setattr(timing.batching, "run_batches", noted)
    seconds_per_image(cell_files["defective"][:3], open_backbone("lite0"), choose_device("cpu"), enough=1e9)
    assert runs == [[0, 1], [0, 1, 2]]
    runs.clear()
    seconds_per_image(cell_files["defective"], open_backbone("lite0"), choose_device("cpu"), enough=0)
    assert runs == [[0, 10]]
