"""A bundle is written whole or not at all, and a damaged or hostile one is refused in one sentence."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import BundleError, OptionError
from headstart.model import bundle
from headstart.storage.arrays import dump_arrays

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.zeros(2, np.float32),
    "k": np.array(5),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    bundle.write_bundle(folder, {"task": "classify"}, {"head.safetensors": ARRAYS, "unreadable.csv": b"path,reason\n"})
    return folder


def change_manifest(folder: Path, **fields: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_is_written_is_read_back(saved: Path) -> None:
    opened = bundle.read_bundle(saved)
    assert opened.manifest["task"] == "classify"
    assert opened.manifest["schema"] == bundle.SCHEMA == 2
    np.testing.assert_array_equal(opened.arrays("head.safetensors")["weight"], ARRAYS["weight"])
    assert opened.arrays("head.safetensors")["k"].shape == ()
    assert sorted(p.name for p in saved.iterdir()) == ["head.safetensors", "manifest.json", "unreadable.csv"]


def test_equal_arrays_give_equal_bytes() -> None:
    reordered = {name: ARRAYS[name] for name in reversed(ARRAYS)}
    assert dump_arrays(ARRAYS) == dump_arrays(reordered)


def test_a_second_write_replaces_the_first_and_leaves_nothing_beside(saved: Path) -> None:
    bundle.write_bundle(saved, {"task": "second"}, {"head.safetensors": ARRAYS})
    assert bundle.read_bundle(saved).manifest["task"] == "second"
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_folder_with_other_things_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match="holds other things, which would be lost"):
        bundle.write_bundle(tmp_path, {}, {})
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_write_leaves_the_old_bundle_and_no_debris(saved: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bundle.write_bundle(saved, {"task": "second"}, {"missing.onnx": saved / "absent.onnx"})
    assert bundle.read_bundle(saved).manifest["task"] == "classify"
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_write_killed_at_any_moment_leaves_a_whole_bundle(saved: Path) -> None:
    code = (
        "import os, signal, sys, threading, numpy as np\nfrom pathlib import Path\n"
        "from headstart.model.bundle import write_bundle\n"
        "threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
        "while True: write_bundle(Path(sys.argv[1]), {'task': 'x'}, "
        "{'head.safetensors': {'w': np.ones(200_000)}})"
    )
    for delay in ("0.05", "0.11", "0.17"):
        done = subprocess.run([sys.executable, "-c", code, str(saved), delay], check=False)
        assert done.returncode == -9
        bundle.read_bundle(saved)


def test_no_model_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no model at .*nowhere: give the folder that"):
        bundle.read_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"is not a saved model: it has no manifest\.json"):
        bundle.read_bundle(tmp_path)


def test_a_truncated_file_is_refused(saved: Path) -> None:
    path = saved / "head.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BundleError, match=r"head\.safetensors is truncated or changed"):
        bundle.read_bundle(saved)


def test_a_flipped_bit_is_refused(saved: Path) -> None:
    path = saved / "head.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="is damaged \\(its content differs\\)"):
        bundle.read_bundle(saved)


def test_a_missing_file_is_refused(saved: Path) -> None:
    (saved / "head.safetensors").unlink()
    with pytest.raises(BundleError, match=r"lacks its file head\.safetensors"):
        bundle.read_bundle(saved)


def test_a_newer_schema_is_refused_with_the_remedy(saved: Path) -> None:
    change_manifest(saved, schema=3, headstart="9.1")
    with pytest.raises(BundleError, match=r"newer Headstart \(9\.1, schema 3; this one reads 2\)"):
        bundle.read_bundle(saved)


def test_an_older_schema_is_refused_with_the_remedy(saved: Path) -> None:
    change_manifest(saved, schema=1)
    with pytest.raises(BundleError, match=r"older Headstart \(schema 1; this one reads 2\): train it again"):
        bundle.read_bundle(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "[" * 100_000, "\x00"])
def test_a_manifest_that_is_not_ours_is_refused(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json (is damaged|does not describe)"):
        bundle.read_bundle(saved)


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "a/b.json", "..", "x.pkl", "C:\\x.json", "a\0.json"]
)
def test_a_manifest_that_names_files_elsewhere_is_refused(saved: Path, name: str) -> None:
    change_manifest(saved, files={name: {"bytes": 1, "fingerprint": "0"}})
    with pytest.raises(BundleError, match="cannot be part of it: do not trust it"):
        bundle.read_bundle(saved)


def test_a_pickle_in_the_folder_is_refused_and_never_run(saved: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    (saved / "head.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BundleError, match=r"holds 'head\.pkl', which is not part of a Headstart model"):
        bundle.read_bundle(saved)
    assert not (tmp_path / "exploded").exists()


def test_a_link_out_of_the_folder_is_refused(saved: Path) -> None:
    (saved / "extra.json").symlink_to("/etc/hostname")
    with pytest.raises(BundleError, match=r"holds 'extra\.json'"):
        bundle.read_bundle(saved)


def test_arrays_of_an_impossible_size_are_refused(saved: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[1099511627776,1024],"data_offsets":[0,4503599627370496]}}'
    (saved / "head.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    change_manifest(saved, files={"head.safetensors": bundle._facts(saved / "head.safetensors")})
    with pytest.raises(BundleError, match=r"head\.safetensors is damaged"):
        bundle.read_bundle(saved).arrays("head.safetensors")
