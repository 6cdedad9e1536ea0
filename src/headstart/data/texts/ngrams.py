"""Words and runs of characters of a text, weighed by TF-IDF: what TF-IDF with logistic regression looks at.

A text's terms are its words, its pairs of words, and its runs of two to five characters within a word (a blank at each
end). A term counts 1 + log of how often it stands there, times its weight among the texts (the inverse document
frequency); a text's numbers have length one.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats

_WORD = re.compile(r"\w+")
_RUNS = range(2, 6)
_MOST_CHARACTERS = 20_000


def terms(text: str) -> Counter[str]:
    """How often each term stands in a text.

    >>> sorted(terms("A cat"))[:4]
    [' a', ' a ', ' c', ' ca']
    """
    words = _WORD.findall(text[:_MOST_CHARACTERS].lower())
    found = [f"{word}\x00" for word in words]
    found += [f"{one}\x00{other}\x00" for one, other in itertools.pairwise(words)]
    for word in words:
        padded = f" {word} "
        for length in _RUNS:
            if len(padded) <= length:
                found.append(padded)
                break
            found += [padded[i : i + length] for i in range(len(padded) - length + 1)]
    return Counter(found)


def weigh(counts: Mapping[str, int], numbers: Mapping[str, int], idf: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The numbers of a text's known terms, and their values, of length one."""
    known = [(numbers[term], count) for term, count in counts.items() if term in numbers]
    index = np.array([number for number, _ in known], np.int64)
    values = np.array([1 + math.log(count) for _, count in known], np.float32) * idf[index]
    return index, values / np.float32(max(float(np.sqrt(values @ values)), 1e-12))


def vocabulary(counts: Sequence[Mapping[str, int]], most: int) -> tuple[str, ...]:
    """The terms that stand in two texts or more, the commonest `most` of them, sorted; all where hardly any do."""
    frequency: Counter[str] = Counter()
    for text in counts:
        frequency.update(text.keys())
    least = 2 if sum(1 for count in frequency.values() if count > 1) > 50 else 1
    common = sorted(
        (term for term, count in frequency.items() if count >= least), key=lambda term: (-frequency[term], term)
    )
    return tuple(sorted(common[:most]))
