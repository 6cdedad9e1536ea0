"""Frames of a drive are seen by their names, where the pictures agree."""

import numpy as np

from headstart.data.series.drives import find_drives

DRIVES, FRAMES = 6, 5


def names() -> list[str]:
    return [f"train/drive{chr(97 + drive)}_{frame:04d}.png" for drive in range(DRIVES) for frame in range(FRAMES)]


def frames(*, alike: bool) -> np.ndarray:
    """(30, 64, 64): every drive has a scene of its own, or every frame has."""
    random = np.random.default_rng(0)
    scenes = random.integers(0, 256, (DRIVES if alike else DRIVES * FRAMES, 64, 64))
    smooth = scenes.reshape(len(scenes), 8, 8, 8, 8).mean(axis=(2, 4)).repeat(8, 1).repeat(8, 2)
    return (smooth.repeat(FRAMES, 0) if alike else smooth).astype(np.uint8)


def test_frames_of_one_drive_have_one_number() -> None:
    numbers = find_drives(names(), frames(alike=True))
    assert numbers is not None
    assert numbers.tolist() == [drive for drive in range(DRIVES) for _ in range(FRAMES)]


def test_names_alone_make_no_drive() -> None:
    assert find_drives(names(), frames(alike=False)) is None


def test_plain_numbers_make_no_drive() -> None:
    listed = [f"train/{number:04d}.png" for number in range(DRIVES * FRAMES)]
    assert find_drives(listed, frames(alike=True)) is None


def test_folders_that_are_splits_are_no_drives() -> None:
    listed = [f"{('train', 'val', 'test')[n % 3]}/{chr(97 + n)}.png" for n in range(24)]
    assert find_drives(listed, frames(alike=True)[:24]) is None
