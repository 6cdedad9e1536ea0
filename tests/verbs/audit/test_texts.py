"""The audit of texts."""

from pathlib import Path

from headstart.report.inline_texts import text_uri
from headstart.verbs.audit.audit import audit

STATES = ["lost", "stolen", "late", "broken", "blocked", "expired", "new", "old", "torn", "bent", "gone", "hot"]
CARD = [f"Ticket from the app: my card of account {i} is {word}" for i, word in enumerate(STATES)]
PAY = [f"{verb} the {thing} for me please" for verb in ("pay", "transfer", "refund", "return")
       for thing in ("rent", "bill", "loan", "fee")]  # fmt: skip


def test_duplicates_contradictions_empty_texts_and_shared_beginnings_are_found() -> None:
    texts = [*CARD, *PAY, PAY[0].upper() + "!", CARD[1], "Where is it?", "Where is it?", " "]
    labels = ["card"] * 12 + ["pay"] * 16 + ["pay", "card", "card", "pay", "pay"]
    result = audit(texts, labels=labels)
    found = {count.kind: count.count for count in result.summary()}
    assert found.pop("label issue", 0) < 5
    assert found == {
        "unreadable": 1,
        "contradictory labels": 2,
        "exact duplicate": 2,
        "near duplicate": 1,
        "same beginning": 1,
    }
    (template,) = result.of("same beginning")
    assert template.sentence.startswith("13 texts of 14 begin with 'Ticket from the app:', and hardly any of the other")


def test_a_page_shows_the_beginning_of_a_text_and_not_the_whole(tmp_path: Path) -> None:
    import base64

    drawing = base64.b64decode(text_uri("secret <number> " * 50).partition(",")[2]).decode()
    assert "&lt;number&gt;" in drawing
    assert drawing.count("secret") < 12
