"""Which words carried an answer, in words: for a table's column, for a line and for a page."""

from __future__ import annotations

from headstart.report.numbers import percent
from headstart.verbs.explain import Explanation

_LONGEST = 24
"""Characters of a run of words that are shown; a whole text is never repeated."""


def carried_words(explanation: Explanation) -> str:
    """The words that carried the answer, the most important first.

    >>> from headstart.verbs.explain import WordWeight
    >>> carried_words(Explanation("text 0", "card", 0.9, (WordWeight("card", 2.0, 0.5), WordWeight("my", 0.0, 0.9))))
    'card'
    """
    if explanation.label is None:
        return ""
    if not explanation.words:
        return "(a single word)"
    return ", ".join(_short(word.word) for word in explanation.carried()) or "(no word alone)"


def word_line(explanation: Explanation) -> str:
    """The answer with the words that carried it and what it would be without them."""
    if not explanation.words:
        return f"{explanation.label} ({percent(explanation.confidence)}): it is a single word"
    carried = [f"{_short(word.word)!r} (without it {percent(word.without)})" for word in explanation.carried()]
    because = f"because of {', '.join(carried)}" if carried else "because of no word alone"
    against = [_short(word.word) for word in explanation.against()]
    spoke = f"; against it: {', '.join(map(repr, against))}" if against else ""
    return f"{explanation.label} ({percent(explanation.confidence)}) {because}{spoke}"


def _short(word: str) -> str:
    plain = " ".join(word.split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
