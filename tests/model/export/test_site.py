"""The page answers as Python does, in a browser without a network."""

import base64
import io
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

import headstart as api
from headstart.errors import OptionError
from headstart.model.export.site import ARCHIVE, VERSION, take_runtime

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOURCE = """<script>
const FILE = new File([bytes("%s")], "a.png", {type: "image/png"});
const say = (answer) => console.log("ANSWER " + JSON.stringify({...answer,
  requests: performance.getEntriesByType("resource").map((entry) => entry.name)}));
const wait = (until) => new Promise((found) => {
  const look = () => until() ? found() : setTimeout(look, 50);
  look();
});
const shown = () => ({answer: $("answer").textContent, why: $("why").textContent, kind: $("answer").className,
  classes: Array.from($("classes").rows, (line) => line.textContent), size: [$("image").width, $("image").height],
  heat: !$("legend").hidden && $("heat").width, pixels: $("image").toDataURL()});
%s
</script></body>"""
HANDED = """handle(FILE).then((answer) => say({...answer, heat: answer.heat.slice(0, 3)}),
  (error) => console.log("FAULT " + error));"""
DROPPED = """wait(() => $("answer").textContent.startsWith("Ready")).then(() => {
  const transfer = new DataTransfer();
  transfer.items.add(FILE);
  $("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
  return wait(() => $("answer").textContent.includes("%"));
}).then(() => say(shown()));"""
TAKEN = """wait(() => $("answer").textContent.startsWith("Ready")).then(() => {
  $("camera").click();
  return wait(() => $("video").videoWidth > 0 && $("camera").textContent === "take this picture");
}).then(() => {
  $("camera").click();
  return wait(() => $("answer").textContent.includes("%") && $("video").hidden);
}).then(() => say(shown()));"""
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def site(saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page in site/, the same graph as model.onnx, and an image a.png."""
    if CHROMIUM is None or shutil.which("npm") is None:
        pytest.skip("needs chromium and npm")
    folder = tmp_path_factory.mktemp("page")
    if subprocess.run(["npm", "pack", f"onnxruntime-web@{VERSION}"], cwd=folder, capture_output=True).returncode:
        pytest.skip("npm cannot fetch the runtime here")
    api.export(saved_model, folder / "site", to="web", web_runtime=folder / ARCHIVE, max_error=0.3)
    api.export(saved_model, folder / "model.onnx", max_error=0.3)
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((341, 256), Image.Resampling.BICUBIC).save(folder / "a.png")
    return folder


def test_without_the_runtime_the_page_says_how_to_get_it(saved_model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=rf"run  npm pack onnxruntime-web@{re.escape(VERSION)}  once"):
        api.export(saved_model, tmp_path / "site", to="web")
    assert list(tmp_path.iterdir()) == []


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(OptionError, match="as npm has it"):
        take_runtime(tmp_path / ARCHIVE)


def test_a_folder_with_other_things_is_left_alone(saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds other things, which would be lost"):
        api.export(saved_model, tmp_path, to="web", overwrite=True)


@pytest.mark.slow
def test_the_page_gives_pythons_answer_and_asks_nobody(site: Path, tmp_path: Path) -> None:
    answer = answer_in_browser(site, HANDED, tmp_path)
    session = onnxruntime.InferenceSession(str(site / "model.onnx"))
    pixels = np.asarray(Image.open(site / "a.png"))[None]
    probabilities, novelty, heat = session.run(["probabilities", "novelty", "heat"], {"image": pixels})
    assert np.abs(np.array(answer["probabilities"]) - probabilities[0]).max() < 1e-4
    assert answer["novelty"] == pytest.approx(novelty[0], rel=1e-3)
    assert np.allclose(answer["heat"], heat.ravel()[:3], atol=1e-3)
    assert answer["decision"] in ("accept", "review")
    assert outside(answer) == []


@pytest.mark.slow
def test_a_dropped_image_is_answered_as_python_answers_it(site: Path, tmp_path: Path) -> None:
    answer = answer_in_browser(site, DROPPED, tmp_path)
    assert (answer["size"], answer["heat"]) == ([341, 256], 341)
    assert np.array_equal(canvas(answer), np.asarray(Image.open(site / "a.png")))
    assert_says_what_the_graph_says(answer, site)


@pytest.mark.slow
def test_the_cameras_picture_is_answered_as_python_answers_it(site: Path, tmp_path: Path) -> None:
    answer = answer_in_browser(site, TAKEN, tmp_path, *CAMERA)
    assert answer["size"] == [640, 480]
    assert np.ptp(canvas(answer)) > 100
    assert_says_what_the_graph_says(answer, site)


def assert_says_what_the_graph_says(answer: dict[str, Any], site: Path) -> None:
    """The line of the answer, its decision and the table are those of the graph for the pixels on the page."""
    session = onnxruntime.InferenceSession(str(site / "model.onnx"))
    outputs = session.run(["probabilities", "decision", "novelty"], {"image": canvas(answer)[None]})
    (row,), (decision,), (novelty,) = outputs
    classes = json.loads((site / "site" / "headstart.json").read_text())["classes"]
    label, rest = str(answer["answer"]).split(", ")
    assert label == classes[row.argmax()]
    assert float(rest.split()[0]) == pytest.approx(100 * row.max(), abs=0.06)
    assert answer["kind"] == ("accept" if decision else "review")
    assert rest.endswith(f"— {answer['kind']}")
    assert str(answer["why"]).startswith("Unlike the images") is bool(novelty > 1)
    assert [line[: len(name)] for line, name in zip(answer["classes"], sorted_by(classes, row), strict=True)] == [
        *sorted_by(classes, row)
    ]
    assert outside(answer) == []


def sorted_by(classes: list[str], row: NDArray[np.float32]) -> list[str]:
    return [classes[k] for k in np.argsort(-row)]


def canvas(answer: dict[str, Any]) -> NDArray[np.uint8]:
    """The pixels that the page looked at."""
    encoded = base64.b64decode(str(answer["pixels"]).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def outside(answer: dict[str, Any]) -> list[str]:
    """What the page asked for elsewhere."""
    return [url for url in answer["requests"] if not url.startswith(("file://", "blob:"))]


def answer_in_browser(site: Path, script: str, folder: Path, *flags: str) -> dict[str, Any]:
    """What the page logs when a script handles it, from a headless browser that is stopped then."""
    assert CHROMIUM is not None
    encoded = base64.b64encode((site / "a.png").read_bytes()).decode()
    page = site / "site" / f"{folder.name}.html"
    page.write_text((site / "site" / "index.html").read_text().replace("</body>", SOURCE % (encoded, script)))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", *flags]
    command += ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", page.as_uri()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as browser:
        assert browser.stderr is not None
        stop = threading.Timer(90, browser.kill)
        stop.start()
        try:
            lines = []
            for line in browser.stderr:
                lines.append(line)
                if match := re.search(r'"ANSWER (.*)", source:', line):
                    found: dict[str, Any] = json.loads(match.group(1).replace('\\"', '"'))
                    return found
                assert "FAULT" not in line, line
            raise AssertionError("".join(lines)[-3000:])
        finally:
            stop.cancel()
            browser.kill()
