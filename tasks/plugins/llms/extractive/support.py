"""How well sentences support an answer to a question: by the words that they share, weighted by how
rare these are.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import import_module
from math import log
from typing import Any, NamedTuple

from llmops.tasks.plugins.llms.extractive.asked import Block
from llmops.tasks.texts.sentences import sentences

DENSE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"  # noqa: E501
TOKEN = re.compile(rf"[{DENSE}]+|(?:(?![{DENSE}])[^\W_])+")
PIECE = re.compile(rf"[{DENSE}]|(?:(?![{DENSE}])\w)+")
"""What counts as a token where lengths are limited."""
STOP = frozenset(
    [
        "a",
        "about",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "get",
        "give",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "know",
        "like",
        "many",
        "may",
        "me",
        "might",
        "mean",
        "much",
        "must",
        "my",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "out",
        "own",
        "please",
        "should",
        "so",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "up",
        "us",
        "use",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
"""English words that say nothing of what is asked for."""
NEIGHBOUR = 0.5
"""A word of the question that stands in the sentence before, or in the passage's title, counts
half.
"""


class SupportedSentence(NamedTuple):
    """`support`: the share of the question's words that it holds, by weight, from 0 to 1."""

    text: str
    block: int
    place: int
    support: float


@lru_cache(maxsize=20_000)
def terms(text: str) -> tuple[str, ...]:
    """English stems, words of other languages as they are, pairs of characters where no spaces
    stand between words.
    """
    found: list[str] = []
    for token in TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if re.match(rf"[{DENSE}]", token):
            found += [token[i : i + 2] for i in range(max(1, len(token) - 1))]
        else:
            found.append(str(_stemmer().stemWord(token)) if token.isascii() else token)
    return tuple(found)


def ranked(question: str, blocks: Sequence[Block]) -> list[SupportedSentence]:
    """All sentences of the blocks, the best supported first; of equals the earlier one."""
    cut = [sentences(block.text) for block in blocks]
    bags = [[frozenset(terms(one)) for one in part] for part in cut]
    weights = _weights(question, [bag for part in bags for bag in part])
    found = [
        SupportedSentence(
            text, number, place, _support(weights, bags[number], place, blocks[number].title)
        )
        for number, part in enumerate(cut)
        for place, text in enumerate(part)
    ]
    return sorted(found, key=lambda one: (-round(one.support, 9), one.block, one.place))


def _weights(question: str, bags: Sequence[frozenset[str]]) -> dict[str, float]:
    """The inverse document frequency of each word of the question over the given sentences
    (Robertson and Zaragoza 2009, as in BM25).
    """
    wanted = {
        term
        for word in TOKEN.findall(question)
        if word.casefold() not in STOP
        for term in terms(word)
    } or set(terms(question))
    counts = Counter(term for bag in bags for term in bag & wanted)
    return {
        term: log(1 + (len(bags) - counts[term] + 0.5) / (counts[term] + 0.5))
        for term in sorted(wanted)
    }


def _support(
    weights: dict[str, float], bags: Sequence[frozenset[str]], place: int, title: str
) -> float:
    near = frozenset(terms(title)) | (bags[place - 1] if place else frozenset())
    held = sum(
        weight if term in bags[place] else NEIGHBOUR * weight if term in near else 0.0
        for term, weight in weights.items()
    )
    own = any(term in bags[place] for term in weights)
    return held / sum(weights.values()) if own and weights else 0.0


@cache
def _stemmer() -> Any:
    return import_module("Stemmer").Stemmer("porter")  # a compiled module: no types
