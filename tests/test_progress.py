"""Progress where no bar can be drawn: plain lines, rarely; nothing where nobody asked."""

from collections.abc import Iterator

import pytest

from headstart import progress


@pytest.fixture(autouse=True)
def usual_manner() -> Iterator[None]:
    yield
    progress.speak(progress.AUTO)


def run_of_three(capsys: pytest.CaptureFixture[str]) -> str:
    progress.step(2, 4, "comparing 3 ways")
    with progress.status() as say:
        say("probe · best so far ridge 83.0 % · 20 s left")
    with progress.bar("embedding", 4) as advance:
        advance(1)
    return capsys.readouterr().err


def test_steps_and_lines_are_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    progress.speak(progress.LINES, every=0)
    lines = run_of_three(capsys).splitlines()
    assert lines[0] == "step 2 of 4: comparing 3 ways"
    assert lines[1] == "  probe · best so far ridge 83.0 % · 20 s left"
    assert lines[2] == "  embedding: 1 of 4 images, about 0 s left"
    assert all(line.isprintable() for line in lines)


def test_what_is_quick_is_not_spoken_of_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    progress.speak(progress.LINES)
    assert run_of_three(capsys) == "step 2 of 4: comparing 3 ways\n"


def test_a_program_that_did_not_ask_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_of_three(capsys) == ""
    progress.speak(progress.SILENT)
    assert run_of_three(capsys) == ""


def test_a_notebook_gets_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(progress.sys.modules, "ipykernel", progress)
    assert run_of_three(capsys) == "step 2 of 4: comparing 3 ways\n"
