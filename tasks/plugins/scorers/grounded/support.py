"""How far passages support a sentence, by the words that both have: see grounded.py for what that
can tell and what not.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from llmops.tasks.texts.comparable import CHARACTER, LETTER, folded, nfkc, words
from llmops.tasks.texts.sentences import sentences

WINDOW = 3
"""Sentences of a passage that may support a sentence together."""
STEM, SHORTEST = 6, 3
RUN = re.compile(rf"(?:{CHARACTER})+|{LETTER}+")
CLUSTER = re.compile(CHARACTER)
NUMBER = re.compile(r"\d+(?:[.,٫٬'’]\d+)*")
TOKEN = re.compile(rf"{LETTER}+(?:[-'’]{LETTER}+)*")
GERMAN = re.compile(
    r"\b(?:der|das|und|ist|nicht|eine[nrs]?|wird|werden|für|auf|dem|von|sich|im|zu|sind)\b"
)
SPELLED = """zero null zéro cero 零 〇|one eins ein eine un une uno una 一|two zwei deux dos 二 两 兩|three drei trois tres 三
four vier quatre cuatro 四|five fünf cinq cinco 五|six sechs seis 六|seven sieben sept siete 七
eight acht huit ocho 八|nine neun neuf nueve 九
ten zehn dix diez 十|eleven elf onze once|twelve zwölf douze doce"""  # noqa: E501
DIGITS = {
    word: str(number)
    for number, names in enumerate(re.split(r"[|\n]", SPELLED))
    for word in names.split()
}


class ReadyPassages(NamedTuple):
    """Passages made ready. `places`: the windows (by number) that hold a feature; `words`,
    `numbers`: of all passages; `pieces`: the sentences themselves."""

    places: dict[str, tuple[int, ...]]
    words: frozenset[str]
    numbers: frozenset[str]
    pieces: tuple[str, ...]


@lru_cache(maxsize=32)
def ground(texts: tuple[str, ...]) -> ReadyPassages:
    """Windows never reach over the end of a passage."""
    places: dict[str, list[int]] = {}
    every, pieces, first = set[str](), list[str](), 0
    for text in texts:
        found = sentences(text)
        pieces += found
        seen = [set(features(one)) for one in found]
        for number in range(max(1, len(seen) - WINDOW + 1)):
            for feature in set[str]().union(*seen[number : number + WINDOW]):
                places.setdefault(feature, []).append(first + number)
        first += max(1, len(seen) - WINDOW + 1)
        every |= set(words(text))
    spelled = {DIGITS[word] for word in every & set(DIGITS)}
    numbers = {number for text in texts for number in numbers_in(text)} | spelled
    return ReadyPassages(
        {name: tuple(found) for name, found in places.items()},
        frozenset(every),
        frozenset(numbers),
        tuple(pieces),
    )


def features(text: str) -> Iterator[str]:
    """The beginnings of words of three letters or more, numbers, and pairs of characters where a
    script has no spaces.
    """
    for run in RUN.findall(folded(text)):
        if CLUSTER.match(run):
            letters = CLUSTER.findall(run)
            yield from (
                "".join(letters[place : place + 2]) for place in range(max(1, len(letters) - 1))
            )
        elif len(run) >= SHORTEST or run.isdigit():
            yield run[:STEM]


def covered(sentence: str, on: ReadyPassages) -> float | None:
    """The share of the sentence's features that the best window holds, long ones weighing more;
    None for a sentence without any.
    """
    weights = {feature: len(feature) for feature in features(sentence)}
    if not weights:
        return None
    sums: dict[int, int] = {}
    for feature, weight in weights.items():
        for place in on.places.get(feature, ()):
            sums[place] = sums.get(place, 0) + weight
    return max(sums.values(), default=0) / sum(weights.values())


def numbers_in(text: str) -> list[str]:
    """The numbers of a text as digits alone: 1,000 and 1.000 are the same."""
    return [re.sub(r"\D", "", number).lstrip("0") or "0" for number in NUMBER.findall(folded(text))]


def names_in(sentence: str) -> list[str]:
    """Words with a capital within a sentence. In German, where every noun has one, only those
    beside another one or all in capitals.
    """
    found = list(TOKEN.finditer(nfkc(sentence)))
    large = [match[0][0].isupper() and len(match[0]) > 1 for match in found]
    if sum(large[1:]) * 3 > 2 * len(large[1:]) > 4:  # a heading
        return []
    german = len(set(GERMAN.findall(sentence))) > 1
    beside = [large[max(0, place - 1) : place + 2].count(True) > 1 for place in range(len(found))]
    return [
        match[0]
        for place, match in enumerate(found)
        if place and large[place] and (not german or beside[place] or match[0].isupper())
    ]


def unknown(sentence: str, on: ReadyPassages, question: str, *, names: bool = True) -> list[str]:
    """The numbers, and with `names` the names, of a sentence that neither passages nor question
    have.
    """
    numbers, asked = on.numbers | set(numbers_in(question)), frozenset(words(question))
    strange = [number for number in numbers_in(sentence) if number not in numbers]
    if not names:
        return strange
    return strange + [
        name
        for name in names_in(sentence)
        if not all(_known(word, (on.words, asked)) for word in words(name))
    ]


def _known(word: str, vocabularies: Iterable[frozenset[str]]) -> bool:
    """Whether the word occurs, perhaps with another ending of up to two letters."""
    if len(word) < 2 or any(word in vocabulary for vocabulary in vocabularies):
        return True
    stem = word[: max(4, len(word) - 2)]
    return any(
        one.startswith(stem) and len(one) <= len(word) + 2
        for vocabulary in vocabularies
        for one in vocabulary
    )


def texts_of(passages: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Titles count as part of the passages."""
    return tuple(f"{title}\n\n{text}" if title else text for title, text in passages)
