"""Whether the answer refuses when it should, and only then."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pydantic import field_validator

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import at
from llmops.tasks.texts.comparable import folded, words
from llmops.tasks.texts.sentences import bare, sentences

STATED = ("answerable", "refuse")
IMPLIED = ("answer", "uris", "keywords", "pattern")
QUOTED = re.compile(r"[\"“„«][^\"“”„«»]{1,80}[\"”“»]")
CUE = re.compile(
    r"[\u0370-\u1fff\u2e80-\uffff]|n't\b|n'|\b(?:n/a|idk|dunno|(?:no|not|none|nothing|nowhere|never|neither|cannot|little|rather|need|fails?|ni|non|ne|"
    r"pas|rien|não|sin|niets?|geen)\b|un(?:able|known|clear|answerable|related|zureich|bekannt)|im?possible|impossib|inca|insuf|inconn|irrelev|"
    r"lack|sorry|apolog|regret|declin|refus|abstain|beyond|outside|silent|requir|something|anything|nicht|kein|leid|wenig|aucun|manque|sans|"
    r"descon|nessun|bilmiyor|cevap|yanıt|bulama|yardımcı|emin|bilgi)"
)
"""What every refusal has, at least: a quick look before the long one."""
NAME = re.compile(r"<([A-Z_]+)>")
SPECIAL = ("whole", "contrast", "about", "vague")
OTHER_LETTERS = ("ru", "zh", "ja", "ko", "fa", "ar")
"""Languages whose refusals all have a letter beyond ASCII."""
BORDER = r"\b"
MOST, LONGEST = 60, 600
"""Sentences, and characters of each, that are looked at: a refusal is shorter."""
BEFORE, CLAUSE, AFTER = 12, 4, 30
"""Words of an answer that may stand before a refusal; that make a clause after a `but` an answer;
that make what follows one.
"""


class RefusalScorer(Scorer):
    """1 when the answer refuses a case with `expected.answerable: false` (or `expected.refuse:
    true`), or does not refuse another; else 0.

    A structured answer says so itself: `refused` or `answerable`, true or false. Of a text it is
    told by what refusals look like in English, German, French, Spanish, Italian, Portuguese, Dutch,
    Russian, Turkish, Chinese, Japanese, Korean, Persian and Arabic (`refusals.txt`, written by
    hand; docs/evaluation.md says how often it errs), and by `phrases`: words that your prompt asks
    for. A text that goes on to answer ("I don't know the day, but it was in 1848") does not refuse.
    An empty answer does neither, and is wrong.

    The idea is SQuAD 2.0's (Rajpurkar et al. 2018, arXiv:1806.03822): to know what is not known is
    part of the task.
    """

    phrases: tuple[str, ...] = ()

    @field_validator("phrases")
    @classmethod
    def _say_something(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(words(one) for one in value):
            raise ValueError(
                "got a phrase without a letter or digit, which every answer would have"
            )
        return value

    def missing(self, case: Case) -> str | None:
        """A case with an expected answer is answerable, if it says nothing else."""
        strange = [name for name in STATED if not isinstance(case.expected.get(name, False), bool)]
        if strange:
            return f"expected.{strange[0]} is neither true nor false"
        if any(name in case.expected for name in STATED) or any(
            case.expected.get(name) for name in IMPLIED
        ):
            return None
        return "expected.answerable is missing"

    def score(self, sample: Sample) -> Score:
        if lack := self.missing(sample.case):
            return Score(value=None, reason=lack)
        if not sample.answer.strip():
            return Score(value=0.0, reason="the answer is empty")
        expected = sample.case.expected
        should = expected.get("refuse") is True or expected.get("answerable") is False
        does = self.refused(sample)
        wrong = (
            f"{'refuses' if does else 'answers'} a case that is {'un' if should else ''}answerable"
        )
        return Score(value=float(should == does), reason="" if should == does else wrong)

    def refused(self, sample: Sample) -> bool:
        """What the answer says of itself, else how it sounds."""
        for name, means in (("refused", True), ("answerable", False)):
            if isinstance(said := at(sample.parsed, name), bool):
                return said is means
        return refuses(sample.answer, self.phrases)


class Signs(NamedTuple):
    """Patterns for sentences as `folded` makes them. `latin`: what of `refusal` can stand in a
    sentence of ASCII.
    """

    refusal: re.Pattern[str]
    latin: re.Pattern[str]
    whole: re.Pattern[str]
    contrast: re.Pattern[str]
    about: re.Pattern[str]
    vague: re.Pattern[str]


@cache
def _signs() -> Signs:
    """The file is read once."""
    lines = [
        line
        for line in Path(__file__).with_name("refusals.txt").read_text("utf-8").splitlines()
        if line and line[0] != "#"
    ]
    named = dict(line.split(" = ", 1) for line in lines if "\t" not in line)
    rows = [
        (kind, folded(NAME.sub(lambda match: named[match[1]], pattern)))
        for kind, pattern in (line.split("\t", 1) for line in lines if "\t" in line)
    ]
    special = {kind: "|".join(each for name, each in rows if name == kind) for kind in SPECIAL}
    refusal = [(name, each) for name, each in rows if name not in SPECIAL]
    kinds = special | {
        "refusal": _either([each for _, each in refusal]),
        "latin": _either([each for name, each in refusal if name not in OTHER_LETTERS]),
    }
    return Signs(**{kind: re.compile(pattern) for kind, pattern in kinds.items()})


def _either(alternatives: Sequence[str]) -> str:
    """One pattern of all, in their order. Those that begin at the border of a word share it: within
    words, which is nearly everywhere, it fails at once instead of a hundred times.
    """
    parts = []
    for at_border, same in groupby(alternatives, lambda one: one.startswith(BORDER)):
        cut = len(BORDER) if at_border else 0
        either = "|".join(one[cut:] for one in same)
        parts.append(f"{BORDER}(?:{either})" if at_border else either)
    return "|".join(parts)


def _refusal(sentence: str) -> re.Match[str] | None:
    signs = _signs()
    return (signs.latin if sentence.isascii() else signs.refusal).search(sentence)


def refuses(answer: str, phrases: Sequence[str] = ()) -> bool:
    """Whether a sentence refuses (or has one of `phrases`) and nothing answers: neither before it,
    nor after a `but`, nor at length.

    Sentences about the passages, the asker or the model are no answer. An empty text does not
    refuse.
    """
    said = [form for one in sentences(answer)[:MOST] if (form := _form(one)) and words(form)]
    own = [folded(one) for one in phrases]
    if any(one in folded(answer) for one in own):
        return True
    if len(said) == 1 and _signs().whole.search(said[0].rstrip(".!。 ")):
        return True
    first = _first(said)
    return (
        first is not None
        and not _goes_on(said[first])
        and not _answers(said[first], said[first + 1 :])
    )


def _form(sentence: str) -> str:
    """Without the words of others: a song may be called "I don't know"."""
    form = folded(bare(sentence[:LONGEST])).strip(" \"'“”„«»")
    own = QUOTED.sub(" ", form)
    return own if own == form or len(words(own)) >= CLAUSE else form


def _first(said: Sequence[str]) -> int | None:
    """The first sentence that refuses, unless an answer stands before it."""
    before = 0
    for place, sentence in enumerate(said):
        if CUE.search(sentence) and _refusal(sentence):
            return place
        if place + 1 < len(said):
            before += _length([sentence])
        if before > BEFORE:
            break
    return None


def _goes_on(sentence: str) -> bool:
    """Whether the refusing sentence has a clause that answers after all: I don't know when, but it
    was Paris.
    """
    refusal = _refusal(sentence)
    contrast = _signs().contrast.search(sentence, refusal.end()) if refusal else None
    rest = sentence[contrast.end() :] if contrast else ""
    return len(words(rest)) >= CLAUSE and not _signs().about.search(rest)


def _answers(refusal: str, after: Sequence[str]) -> bool:
    """Whether the sentences after a refusal are an answer. One that refuses only to be exact is
    followed by one sooner.
    """
    others = [one for one in after if not _refusal(one)]
    if any(
        (contrast := _signs().contrast.match(one))
        and not _signs().about.search(one, contrast.end())
        and len(words(one)) > CLAUSE
        for one in others
    ):
        return True
    return _length(others) > (CLAUSE if _signs().vague.search(refusal) else AFTER)


def _length(said: Sequence[str]) -> int:
    """In words, without the sentences about the passages or the speakers."""
    return sum(len(words(one)) for one in said if not _signs().about.search(one))
