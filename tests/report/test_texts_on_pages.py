"""Pages of texts speak of texts, and show whole ones only where that is asked for."""

import base64
import re

import headstart
from headstart.report.audit import audit_html
from headstart.report.inline_texts import text_uri

LONG = "Where is my card? " * 12


def drawing(uri: str) -> str:
    return " ".join(re.findall(r">([^<]+)</text>", base64.b64decode(uri.partition(",")[2]).decode()))


def test_a_page_shows_eighty_characters_of_a_text_unless_all_of_it_is_asked_for() -> None:
    assert 70 <= len(drawing(text_uri(LONG))) <= 80
    assert drawing(text_uri(LONG)).endswith("…")
    assert drawing(text_uri(LONG, whole=True)) == LONG.strip()
    assert drawing(text_uri("")) == "(empty)"


def test_a_page_of_texts_speaks_of_texts() -> None:
    items = [LONG, LONG, "a room, please", "the loan"]
    result = headstart.audit(items, labels=["card", "card", "room", "loan"], cache=False)
    page = audit_html(result, data="questions.csv")
    words = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert "4 texts of 3 classes" in words
    assert not re.search(r"\bimages?\b", words, re.IGNORECASE)
    assert audit_html(result, show_texts=True) != audit_html(result)
