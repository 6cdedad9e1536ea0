"""The page answers as Python does, in a browser without a network."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import headstart as api
from headstart.errors import OptionError
from headstart.model.export.site import ARCHIVE, VERSION, take_runtime

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HARNESS = """<script>
handle(new Blob([bytes("%s")], {type: "image/png"})).then(
  (answer) => console.log("ANSWER " + JSON.stringify({...answer, heat: answer.heat.slice(0, 3),
    requests: performance.getEntriesByType("resource").map((entry) => entry.name)})),
  (error) => console.log("FAULT " + error));
</script></body>"""


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
@pytest.mark.skipif(CHROMIUM is None or shutil.which("npm") is None, reason="needs chromium and npm")
def test_the_page_gives_pythons_answer_and_asks_nobody(saved_model: Path, tmp_path: Path) -> None:
    fetched = subprocess.run(["npm", "pack", f"onnxruntime-web@{VERSION}"], cwd=tmp_path, capture_output=True)
    if fetched.returncode:
        pytest.skip("npm cannot fetch the runtime here")
    site = tmp_path / "site"
    api.export(saved_model, site, to="web", web_runtime=tmp_path / ARCHIVE, max_error=0.3)
    api.export(saved_model, tmp_path / "model.onnx", max_error=0.3)
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((341, 256), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    encoded = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    page = (site / "index.html").read_text().replace("</body>", HARNESS % encoded)
    (site / "test.html").write_text(page)
    answer = answer_in_browser(site / "test.html", tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    pixels = np.asarray(Image.open(tmp_path / "a.png"))[None]
    probabilities, novelty, heat = session.run(["probabilities", "novelty", "heat"], {"image": pixels})
    assert np.abs(np.array(answer["probabilities"]) - probabilities[0]).max() < 1e-4
    assert answer["novelty"] == pytest.approx(novelty[0], rel=1e-3)
    assert np.allclose(answer["heat"], heat.ravel()[:3], atol=1e-3)
    assert answer["decision"] in ("accept", "review")
    assert [url for url in answer["requests"] if not url.startswith(("file://", "blob:"))] == []


def answer_in_browser(page: Path, folder: Path) -> dict[str, object]:
    """What the page logs, from a headless browser that is stopped then."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", page.as_uri()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as browser:
        assert browser.stderr is not None
        try:
            lines = []
            for line in browser.stderr:
                lines.append(line)
                if match := re.search(r'"ANSWER (.*)", source:', line):
                    found: dict[str, object] = json.loads(match.group(1).replace('\\"', '"'))
                    return found
                assert "FAULT" not in line, line
            raise AssertionError("".join(lines))
        finally:
            browser.kill()
