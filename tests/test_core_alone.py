"""The main job in a virtual environment that holds the core's declared dependencies and nothing else."""

import json
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SOURCE = Path(__file__).parents[1] / "src"


def needed(name: str, found: set[str] | None = None) -> set[str]:
    """The installed distributions that `name` needs without any extra, itself left out."""
    found = set() if found is None else found
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        plain = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if (requirement.marker is None or requirement.marker.evaluate({"extra": ""})) and plain not in found:
            found.add(plain)
            needed(plain, found)
    return found


@pytest.fixture(scope="module")
def core_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees Headstart and its core dependencies, linked from where they are installed."""
    root = tmp_path_factory.mktemp("core")
    venv.create(root, with_pip=False, symlinks=True)
    packages = next(root.glob("lib/python*/site-packages"))
    for name in needed("headstart"):
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top != ".." and top != "__pycache__" and not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    (packages / "headstart.pth").write_text(str(SOURCE))
    return root / "bin" / "python"


def run(python: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-I", "-m", "headstart", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_core_names_no_heavy_package() -> None:
    assert not needed("headstart") & {"torch", "torchvision", "timm", "onnx", "pandas", "pyarrow", "opencv-python"}
    assert "numpy" in needed("headstart")


@pytest.fixture(scope="module")
def model(core_python: Path, cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained with the core alone."""
    absent = "import importlib.util as u; print([n for n in ('torch', 'timm', 'onnx', 'pandas') if u.find_spec(n)])"
    found = subprocess.run([core_python, "-I", "-c", absent], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    folder = tmp_path_factory.mktemp("core-model") / "model"
    done = run(core_python, "train", cells, "-o", folder, "--heads", "ridge,probe,class-mean")
    assert done.returncode == 0, done.stderr
    assert "lite0 + lite2, 5 layers" in done.stdout
    return folder


def test_train_predict_and_evaluate_run_with_the_core_alone(core_python: Path, model: Path, cells: Path) -> None:
    said = run(core_python, "predict", model, cells / "defective", "--json")
    assert len(json.loads(said.stdout)) == 20
    assert run(core_python, "evaluate", model, cells).returncode == 0


def test_the_predictor_imports_neither_torch_nor_scikit_learn(core_python: Path, model: Path, cells: Path) -> None:
    image = next((cells / "defective").iterdir())
    code = (
        "import sys, headstart\n"
        f"headstart.load({str(model)!r}).predict([{str(image)!r}])\n"
        "print(sorted({'torch', 'timm', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([core_python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_backbone_that_needs_the_extra_says_so_before_any_work(
    core_python: Path, cells: Path, tmp_path: Path
) -> None:
    done = run(core_python, "train", cells, "-o", tmp_path / "model", "--backbones", "resnet50")
    assert done.returncode == 2
    assert "pip install 'headstart[finetune]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_parquet_without_its_extra_says_so(core_python: Path, cells: Path, tmp_path: Path) -> None:
    done = run(core_python, "embed", cells, "-o", tmp_path / "rows.parquet", "--backbone", "lite0")
    assert done.returncode == 2
    assert "pip install 'headstart[parquet]'" in done.stderr
    assert sys.executable not in done.stderr
