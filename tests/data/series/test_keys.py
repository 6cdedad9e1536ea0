"""Words that may say which images are of one thing."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from headstart.data.series import keys
from headstart.data.series.capture import burst_keys, read_capture
from headstart.errors import DataError, OptionError


def test_a_name_is_cut_before_the_number_at_its_end() -> None:
    names = ["cat/part017_3.jpg", "cat/part017 (4).png", "cat/part018-1.jpg", "cat/whole.jpg", "b/p1.2.jpg"]
    assert keys.before_last_number(names) == ["cat/part017", "cat/part017", "cat/part018", "", "b/p1"]


def test_a_name_is_cut_after_its_first_number() -> None:
    names = ["cat/p017_left.jpg", "cat/p017-right-2.jpg", "cat/left.jpg"]
    assert keys.to_first_number(names) == ["cat/p017", "cat/p017", ""]


def test_a_rule_finds_a_part_of_the_name() -> None:
    names = ["a/day1_patient7_x.png", "a/day2_patient7_y.png", "a/other.png"]
    assert keys.keys_by(r"name:patient(\d+)", names, [None] * 3) == ["7", "7", ""]
    assert keys.keys_by(r"name:^day\d", names, [None] * 3) == ["day1", "day2", ""]
    assert keys.keys_by("folder", ["a/x/1.png", "a/y/1.png", "1.png"], [None] * 3) == ["a/x", "a/y", ""]


def test_a_rule_that_tells_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"--group-by name:zzz tells nothing of any image \(the first are 'a/1.png'\)"):
        keys.keys_by("name:zzz", ["a/1.png"], [None])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("patient", r"group_by must be auto, none, folder, exif-time or name:REGEX; found 'patient'"),
        ("name:", "group_by must be auto"),
        ("name:(", "is no regular expression: missing"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        keys.check_rule(rule)


def test_photographs_within_a_minute_share_a_burst(tmp_path) -> None:
    start = datetime(2024, 5, 1, 12)
    items = []
    for number, seconds in enumerate((0, 20, 70, 300, 310)):
        image, exif = Image.new("RGB", (32, 32)), Image.Exif()
        exif[0x0110] = "Camera A" if number < 4 else "Camera B"
        exif.get_ifd(0x8769)[0x9003] = (start + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")
        items.append(tmp_path / f"{number}.jpg")
        image.save(items[-1], exif=exif)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (32, 32)).save(plain)
    words = burst_keys([*items, plain, np.zeros((4, 4, 3), np.uint8)])
    assert words[0] == words[1] == words[2] != words[3]
    assert words[4] not in ("", words[3])
    assert words[5:] == ["", ""]


def test_a_file_that_is_no_image_tells_no_time(tmp_path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"no image")
    assert read_capture(tmp_path / "x.jpg") is None
    assert read_capture(tmp_path / "gone.jpg") is None
