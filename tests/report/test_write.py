"""One entry writes every result's page or plot, whole or not at all."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.report.test_audit import audit_result
from tests.report.test_drift import HOSTILE, drift_result

import headstart
from headstart.errors import OptionError
from headstart.report.write import write_plot, write_report


def test_an_audit_and_a_drift_result_are_written_as_pages(tmp_path: Path) -> None:
    headstart.write_report(audit_result(), tmp_path / "new" / "audit.html", data="cells", shown=1)
    write_report(drift_result(0.001), str(tmp_path / "drift.html"))
    assert "Audit of cells: 9 images" in (tmp_path / "new" / "audit.html").read_text()
    assert "This batch comes from elsewhere" in (tmp_path / "drift.html").read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["drift.html", "new"]


def test_an_undecodable_name_does_not_stop_the_writing(tmp_path: Path) -> None:
    write_report(audit_result("\udce9.png"), tmp_path / "audit.html", data="\udce9")
    assert "\\udce9.png" in (tmp_path / "audit.html").read_text(encoding="utf-8")


def test_a_plot_is_well_formed_whatever_a_name_holds(tmp_path: Path) -> None:
    write_plot(drift_result(0.001, name=HOSTILE), tmp_path / "scores.svg")
    root = ElementTree.fromstring((tmp_path / "scores.svg").read_text())
    assert root.find("{http://www.w3.org/2000/svg}title").text == "How foreign the images are to tidy"


def test_what_has_no_page_or_plot_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    with pytest.raises(OptionError, match=r"headstart.audit, headstart.drift or evaluate .* found str"):
        write_report("photos", place)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="data names what an audit looked at; found 'x' for a drift result"):
        write_report(drift_result(0.001), place, data="x")
    with pytest.raises(OptionError, match="shown must be at least 1; found 0"):
        write_report(audit_result(), place, shown=0)
    with pytest.raises(OptionError, match=r"write_plot takes what headstart.drift, .* found Audit"):
        write_plot(audit_result(), place)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
