"""headstart-runtime: what it holds, and that it answers as the whole Headstart does where nothing else is installed."""

import ast
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from PIL import Image
from tests.conftest import headstart as command_line

import headstart
from headstart import runtime
from headstart._version import __version__
from headstart.model.load import load_model

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "packages" / "headstart-runtime"
SOURCE = ROOT / "src" / "headstart"
ENGINES = {
    "openvino": ("openvino", "openvino-telemetry"),
    "onnx": ("onnxruntime", "flatbuffers", "packaging", "protobuf"),
}
ABSENT = ("scipy", "sklearn", "click", "rich", "torch", "jinja2", "onnx")
PREDICT = """
import json, sys, headstart
absent = sys.argv[3].split(",")
import importlib.util as u
print(json.dumps({
    "found": [name for name in absent if u.find_spec(name)],
    "probabilities": headstart.load(sys.argv[1]).predict([sys.argv[2]]).probabilities.tolist(),
}))
"""


def closure() -> list[Path]:
    files: list[Path] = runpy.run_path(str(PACKAGE / "closure.py"))["runtime_files"](SOURCE)
    return files


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    return found


# What it holds --------------------------------------------------------------------------------------------------------


def test_it_holds_what_predicts_and_nothing_that_trains() -> None:
    files = {str(path) for path in closure()}
    assert {"__init__.py", "runtime.py", "model/open.py", "verbs/predict.py", "embed/onnxruntime_engine.py"} <= files
    assert {"backbones/packaged/efficientnet_lite0.onnx", "backbones/packaged/efficientnet_lite2.json"} <= files
    rooms = {path.split("/")[0] for path in files}
    assert not rooms & {"cli", "pipeline", "choose", "finetune", "adaptation", "demo"}
    assert not {"verbs/train", "backbones/conversion", "embed/torch_engine.py", "model/export"} & {
        path for file in files for path in (file, str(Path(file).parent))
    }


def test_what_is_imported_at_load_is_what_it_depends_on() -> None:
    allowed = {"numpy", "PIL", "headstart", *sys.stdlib_module_names}
    offenders = []
    for path in closure():
        if path.suffix != ".py":
            continue
        for node in ast.parse((SOURCE / path).read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            offenders += [f"{path} imports {name}" for name in names if name.split(".")[0] not in allowed]
    assert offenders == []


def test_its_version_is_that_of_headstart_and_its_dependencies_are_four() -> None:
    values = project()
    assert values["version"] == __version__
    names = [re.split(r"[>=]", text)[0] for text in values["dependencies"]]  # type: ignore[attr-defined]
    assert names == ["numpy", "pillow", "platformdirs", "safetensors"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(values["dependencies"]) <= set(whole)  # type: ignore[call-overload]


# Alone in an environment ----------------------------------------------------------------------------------------------


def link(packages: Path, name: str) -> None:
    """Put an installed distribution into another environment."""
    for file in distribution(name).files or ():
        top = file.parts[0]
        if top not in ("..", "__pycache__") and not (packages / top).exists():
            (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))


@pytest.fixture(scope="module", params=list(ENGINES))
def bare_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the runtime's files, its four dependencies and one engine, linked from where they are."""
    root = tmp_path_factory.mktemp(f"bare-{request.param}")
    venv.create(root, with_pip=False, symlinks=True)
    packages = next(root.glob("lib/python*/site-packages"))
    for name in ("numpy", "pillow", "platformdirs", "safetensors", *ENGINES[request.param]):
        link(packages, name)
    for file in closure():
        (packages / "headstart" / file).parent.mkdir(parents=True, exist_ok=True)
        (packages / "headstart" / file).symlink_to(SOURCE / file)
    return root / "bin" / "python"


def run(python: Path, *words: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-I", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, input=given)


def assert_same_answers(python: Path, model: Path, image: Path) -> None:
    done = run(python, "-c", PREDICT, model, image, ",".join(ABSENT))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["found"] == []
    (wanted,) = load_model(model).predict([image]).probabilities.tolist()
    assert found["probabilities"][0] == pytest.approx(wanted, abs=1e-4)


def test_it_answers_as_the_whole_headstart_does(bare_python: Path, saved_model: Path, cells: Path) -> None:
    assert_same_answers(bare_python, saved_model, next((cells / "defective").iterdir()))


def test_training_there_says_what_to_install(bare_python: Path) -> None:
    done = run(bare_python, "-c", "import headstart; headstart.train")
    assert done.stderr.splitlines()[-1] == (
        "headstart.errors.NotInRuntime: headstart.train needs the whole of Headstart, and this is headstart-runtime, "
        "which only predicts: run  pip uninstall headstart-runtime,  then  pip install headstart."
    )
    code = "from headstart.backbones.opening import open_backbone; open_backbone('resnet50')"
    assert "converting the backbone resnet50 needs the whole of Headstart" in run(bare_python, "-c", code).stderr


def test_an_extra_there_is_of_the_runtime_not_of_the_whole(bare_python: Path) -> None:
    code = "from headstart.backbones.opening import open_backbone; open_backbone('minilm')"
    assert "run  pip install 'headstart-runtime[text]'  and try again." in run(bare_python, "-c", code).stderr


# The command ----------------------------------------------------------------------------------------------------------


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_a_record_of_predict_json(saved_model: Path, cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runtime.main([str(saved_model), str(cells / "defective")]) == 0
    found = records(capsys.readouterr().out)
    assert found == json.loads(command_line("predict", saved_model, cells / "defective", "--json").stdout)


def test_paths_on_standard_input_are_answered_one_by_one(
    saved_model: Path, cells: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = next((cells / "defective").iterdir())
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{image}\n\nnowhere.png\n{image}\n"))
    assert runtime.main([str(saved_model), "-"]) == 0
    first, absent, last = records(capsys.readouterr().out)
    assert first == last
    assert (first["image"], absent["image"], absent["class"]) == (str(image), "nowhere.png", None)
    assert absent["unreadable"] == "nowhere.png does not exist. Check its spelling."


def test_the_self_test_answers_an_image_of_the_model(saved_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runtime.main([str(saved_model), "--self-test"]) == 0
    (answer,) = records(capsys.readouterr().out)
    assert answer.pop("seconds") > 0  # type: ignore[operator]
    assert answer == {"ok": True, "task": "classify", "engine": "openvino"}


def test_decisions_come_where_they_are_asked_for(
    saved_model: Path, cells: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = next((cells / "defective").iterdir())
    assert runtime.main([str(saved_model), str(image), "--max-error", "0.3"]) == 0
    assert records(capsys.readouterr().out)[0]["decision"] in ("accept", "review")
    monkeypatch.setattr(runtime, "installed", lambda name: False)
    assert runtime.main([str(saved_model), str(image), "--max-error", "0.3"]) == 2
    assert capsys.readouterr().err == (
        "Error: --max-error needs scipy, which is not installed: run  pip install scipy  and try again.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no images were named"),
        (["nowhere", "--self-test"], "there is no model at nowhere"),
        (["MODEL", "nowhere.png"], "nowhere.png does not exist"),
        (["MODEL", "BROKEN"], "no image could be read, of 1"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], said: str, saved_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    places = {"MODEL": str(saved_model), "BROKEN": str(broken)}
    assert runtime.main([places.get(word, word) for word in words]) == 2
    said_there = capsys.readouterr().err
    assert said in said_there
    assert len(said_there.splitlines()) == 1


def test_a_name_that_nobody_has_is_still_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'headstart' has no attribute 'teach'"):
        _ = headstart.teach


# The image ------------------------------------------------------------------------------------------------------------


def instructions() -> dict[str, list[str]]:
    """The Dockerfile's instructions by their word, lines joined."""
    text = (ROOT / "Dockerfile.runtime").read_text().replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(rest)
    return found


def test_the_image_is_slim_not_root_and_asks_the_model_for_its_health() -> None:
    found = instructions()
    assert {line.split()[0] for line in found["FROM"]} == {"python:3.12-slim"}
    assert found["USER"] == ["10001"]
    assert json.loads(found["ENTRYPOINT"][0]) == ["python", "-m", "headstart.runtime"]
    check = json.loads(found["HEALTHCHECK"][0].partition("CMD ")[2])
    assert check == ["python", "-m", "headstart.runtime", "/model", "--self-test"]
    assert all((ROOT / line.split()[0]).exists() for line in found["COPY"] if not line.startswith("--from"))


def test_its_health_check_answers_where_nothing_can_be_written(bare_python: Path, saved_model: Path) -> None:
    words = json.loads(instructions()["HEALTHCHECK"][0].partition("CMD ")[2])[1:]
    command = [str(bare_python), *(str(saved_model) if word == "/model" else word for word in words)]
    environment = {"PATH": os.environ["PATH"], "HEADSTART_CACHE": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


# Built and installed --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the Dockerfile builds it."""
    folder = tmp_path_factory.mktemp("wheels")
    (line,) = [line for line in instructions()["RUN"] if line.startswith("pip wheel")]
    words = [str(folder) if word == "/wheels" else word for word in shlex.split(line)]
    subprocess.run([sys.executable, "-m", *words], check=True, cwd=ROOT, capture_output=True, text=True)
    (path,) = folder.glob("headstart_runtime-*.whl")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("extra", list(ENGINES))
def test_the_wheel_in_a_bare_environment_answers_as_the_whole_headstart_does(
    extra: str, wheel: Path, saved_model: Path, cells: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-compile", f"{wheel}[{extra}]"]
    assert (done := run(python, *install)).returncode == 0, done.stderr
    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json").stdout)
    names = {entry["name"].lower() for entry in listed} - {"pip", "setuptools"}
    assert names == {"headstart-runtime", "numpy", "pillow", "platformdirs", "safetensors", *ENGINES[extra]}
    assert_same_answers(python, saved_model, next((cells / "defective").iterdir()))
    picture = tmp_path / "grey.png"
    Image.new("L", (90, 60), 127).save(picture)
    said = run(python, "-m", "headstart.runtime", saved_model, picture)
    (found,) = records(said.stdout)
    (wanted,) = json.loads(command_line("predict", saved_model, picture, "--json").stdout)
    assert found["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-4)
