"""Whether what the answer says stands in the passages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.scorers import Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import field_of
from llmops.tasks.plugins.scorers.citations import without_markers
from llmops.tasks.plugins.scorers.refusal import refuses
from llmops.tasks.texts.comparable import CHARACTER, LETTER, folded, nfkc, shown, words
from llmops.tasks.texts.sentences import bare, sentences

REASONS = 3
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


class GroundedScorer(Scorer):
    """The share of the answer's sentences that the passages support. The idea is that of FActScore
    (Min et al. 2023, arXiv:2305.14251), with sentences for its atomic facts and words for its
    model.

    A sentence is supported when three neighbouring sentences of a passage have at least `share` of
    its words (the first six letters of those with three or more, weighted by their length; pairs of
    characters in scripts without spaces), or, with `embed`, when its embedding has a cosine of at
    least `cosine` with that of one of the passages' sentences; and when the passages or the
    question have each number and name in it, since those are what models invent. In scripts without
    capitals names are not told apart.

    What it cannot see: that a sentence turns its source around (`not`, `before`, who did what to
    whom) with the same words. A good paraphrase in other words it takes for unsupported. Where that
    matters let a `judge` read the passages. The default of `share` was chosen on one half of the
    answers of CLAPNQ and measured on the other: docs/evaluation.md.

    A sentence without a word is left out. An answer that refuses has nothing to support, and no
    value; an empty one, and any without passages, is 0. Part: `words`, the mean share of the
    sentences' words. `read`: a field of a structured answer.
    """

    share: float = Field(default=0.6, gt=0, le=1)
    embed: Spec | None = None
    cosine: float = Field(default=0.7, gt=0, le=1)
    names: bool = True
    """Whether names in the answer must stand in the passages too."""
    read: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _embedder(self) -> Self:
        if self.embed is not None:
            self.embed.build(Embedder)
        return self

    def score(self, sample: Sample) -> Score:
        answer = nfkc(without_markers(field_of(sample, self.read)))
        if not words(answer):
            return Score(value=0.0, reason="the answer is empty", parts={"words": 0.0})
        if refuses(answer):
            return Score(value=None, reason="the answer refuses: there is nothing to support")
        if not sample.passages:
            return Score(value=0.0, reason="no passages were given", parts={"words": 0.0})
        on = ground(texts_of([(passage.title, passage.text) for passage in sample.passages]))
        said = [one for sentence in sentences(answer) if words(one := bare(sentence))]
        shares = [covered(one, on) for one in said]
        doubts = self._doubts(said, shares, on, sample.question)
        wrong = [
            f"{doubt}: {shown(one)!r}" for one, doubt in zip(said, doubts, strict=True) if doubt
        ]
        more = [f"and {len(wrong) - REASONS} more"] if len(wrong) > REASONS else []
        mean = fmean([share for share in shares if share is not None] or [1.0])
        return Score(
            value=1 - len(wrong) / len(said),
            reason="; ".join(wrong[:REASONS] + more),
            parts={"words": mean},
        )

    def _doubts(
        self,
        said: Sequence[str],
        shares: Sequence[float | None],
        on: "ReadyPassages",
        question: str,
    ) -> list[str]:
        """Why each sentence is not supported; empty for one that is."""
        near = self._near(
            [
                one
                for one, share in zip(said, shares, strict=True)
                if share is not None and share < self.share
            ],
            on,
        )
        return [
            self._doubt(one, share, near.get(one, 0.0), on, question)
            for one, share in zip(said, shares, strict=True)
        ]

    def _doubt(
        self, sentence: str, share: float | None, near: float, on: "ReadyPassages", question: str
    ) -> str:
        strange = unknown(sentence, on, question, names=self.names)
        if strange:
            return f"no passage has {', '.join(map(shown, strange[:3]))}"
        if share is None or share >= self.share or near >= self.cosine:
            return ""
        return f"{share:.0%} of its words are in a passage"

    def _near(self, said: Sequence[str], on: "ReadyPassages") -> dict[str, float]:
        """The cosine of each sentence with the nearest of the passages."""
        if self.embed is None or not said or not on.pieces:
            return {}
        texts = list(dict.fromkeys([*said, *on.pieces]))
        rows: Any = dict(
            zip(
                texts,
                self.embed.build(Embedder).embed(
                    [text.encode("utf-8", "replace").decode() for text in texts]
                ),
                strict=True,
            )
        )
        pieces = np.asarray([rows[piece] for piece in on.pieces], np.float64)
        return {one: float((pieces @ np.asarray(rows[one], np.float64)).max()) for one in said}


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
        said = sentences(text)
        pieces += said
        seen = [set(features(one)) for one in said]
        for number in range(max(1, len(seen) - WINDOW + 1)):
            for feature in set[str]().union(*seen[number : number + WINDOW]):
                places.setdefault(feature, []).append(first + number)
        first += max(1, len(seen) - WINDOW + 1)
        every |= set(words(text))
    spelled = {DIGITS[word] for word in every & set(DIGITS)}
    numbers = {number for text in texts for number in numbers_in(text)} | spelled
    return ReadyPassages(
        {name: tuple(windows) for name, windows in places.items()},
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
    matches = list(TOKEN.finditer(nfkc(sentence)))
    large = [match[0][0].isupper() and len(match[0]) > 1 for match in matches]
    if sum(large[1:]) * 3 > 2 * len(large[1:]) > 4:  # a heading
        return []
    german = len(set(GERMAN.findall(sentence))) > 1
    beside = [large[max(0, place - 1) : place + 2].count(True) > 1 for place in range(len(matches))]
    return [
        match[0]
        for place, match in enumerate(matches)
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
