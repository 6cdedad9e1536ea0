"""Input checks in one message form: what was asked, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsFloat

from headstart.errors import OptionError


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """Return `value` if it is among `allowed`; else raise `OptionError` naming the nearest right spelling."""
    if value in allowed:
        return value
    hint = suggest(value, allowed)
    suggestion = f" Did you mean {hint[0]!r}?" if hint else ""
    raise OptionError(f"{name} must be one of {join_words(allowed)}; found {value!r}.{suggestion}")


def at_least(name: str, value: float, low: float) -> None:
    """Raise `OptionError` unless `value` is a number and at least `low` (NaN never is)."""
    if not (_is_number(value) and value >= low):
        raise OptionError(f"{name} must be at least {low:g}; found {value!r}.")


def between(name: str, value: float, low: float, high: float) -> None:
    """Raise `OptionError` unless `value` is a number and `low` <= `value` <= `high` (NaN never is)."""
    if not (_is_number(value) and low <= value <= high):
        raise OptionError(f"{name} must lie between {low:.10g} and {high:.10g}; found {value!r}.")


def share(name: str, value: float | str, low: float = 0.0, high: float = 1.0) -> float:
    """A share of 1, as it is written everywhere: 0.05, "0.05" or "5%".

    Raises `OptionError` with the right spelling for percents without their sign, and outside `low` to `high`.

    >>> share("max_error", 0.05), share("max_error", "5%"), share("max_error", "0.5 %")
    (0.05, 0.05, 0.005)
    """
    number = _share_of(value)
    if _is_number(number) and low <= number <= high:
        return float(number)
    bare = _is_number(number) and high < number <= 100 * high and "%" not in str(value)
    hint = f": write {number / 100:.10g} or {number:.10g}%" if bare else ", a share such as 0.02 or 2%"
    raise OptionError(f"{name} must lie between {low:.10g} and {high:.10g}; found {value!r}{hint}.")


def _share_of(value: float | str) -> float:
    """The number that a share's text stands for, NaN for any other text; a number as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return float("nan")


def _is_number(value: object) -> bool:
    """Whether it can be compared with numbers: from Python, an option may be anything."""
    return isinstance(value, SupportsFloat) and not isinstance(value, (str, bytes))


def suggest(word: str, vocabulary: Iterable[str], count: int = 3) -> list[str]:
    """The `vocabulary` words spelt most like `word`, best first; empty when none is close."""
    import difflib

    return difflib.get_close_matches(word, list(vocabulary), n=count, cutoff=0.5)


def join_words(words: Sequence[object], most: int = 12) -> str:
    """Words as a readable list, cut after `most`.

    >>> join_words(["cat", "dog"])
    "'cat', 'dog'"
    """
    listed = ", ".join(repr(word) for word in words[:most])
    return listed if len(words) <= most else f"{listed} and {len(words) - most} more"


def printable(text: str) -> str:
    r"""Text for one line of a terminal: line breaks, control characters and undecodable bytes are spelt out.

    >>> printable("new\nline \x1b[31m"), printable("Zoë 猫")
    ('new\\nline \\x1b[31m', 'Zoë 猫')
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_lines(text: str, most: int = 20) -> str:
    r"""The text, cut to `most` lines with a line that says how many are left.

    >>> print(first_lines("a\nb\nc\nd", most=3))
    a
    b
    … and 2 more lines
    """
    lines = text.splitlines()
    return text if len(lines) <= most else "\n".join([*lines[: most - 1], f"… and {len(lines) - most + 1} more lines"])


def quantity(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun in the right form.

    >>> quantity(1, "image"), quantity(1200, "image"), quantity(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
