"""Whether the answer says certain words."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import (
    ExpectedTexts,
    field_of,
    is_reference,
    texts_at,
    unanswerable,
    without,
)
from llmops.tasks.texts.comparable import LETTER, folded, shown

ONE = re.compile(LETTER)
POINT = re.compile(r"\d[.,]\d")
Phrases = str | tuple[str, ...] | None


class ContainsScorer(Scorer):
    """1 when the answer has at least one phrase of `any_of`, every one of `all_of` and none of
    `none_of`, else 0. Each is a list, one phrase, or where the case has them (`expected.keywords`).

    Compared are NFKC forms without regard to case, with any white space between words. With
    `words`, a phrase does not begin or end inside of a word or number, where a script has words:
    `cat` is not in `concatenate`, nor 5 in 3.5, but 東京 is in 東京都. Part: `share`, that of the
    phrases of `all_of` that are there. `read`: a field of a structured answer instead of the whole.
    """

    any_of: Phrases = None
    all_of: Phrases = None
    none_of: Phrases = None
    words: bool = True
    read: str | None = Field(default=None, min_length=1)

    @field_validator("any_of", "all_of", "none_of")
    @classmethod
    def _phrases(cls, value: Phrases) -> Phrases:
        listed = (value,) if isinstance(value, str) else value
        if listed is not None and (not listed or not all(folded(one) for one in listed)):
            raise ValueError(
                f"got an empty {'phrase' if listed else 'list'}; give phrases, or a "
                f"reference such as expected.keywords"
            )
        if isinstance(value, tuple) and (reference := next(filter(is_reference, value), None)):
            raise ValueError(
                f"got {reference!r} in a list; a reference stands alone: any_of: {reference}"
            )
        return value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.any_of is None and self.all_of is None and self.none_of is None:
            raise ValueError(
                "nothing to look for: give any_of, all_of or none_of phrases, or a "
                "reference such as expected.keywords"
            )
        return self

    def missing(self, case: Case) -> str | None:
        lack = self._wanted(case)[1]
        return None if unanswerable(case) else lack

    def score(self, sample: Sample) -> Score:
        wanted, lack = self._wanted(sample.case)
        if lack:
            return without(sample.case, lack)
        text = folded(field_of(sample, self.read))
        there = {
            name: [one for one in phrases if _there(folded(one), text, self.words)]
            for name, phrases in wanted.items()
        }
        wrong = [
            *_lacking(wanted, there),
            *(f"has {shown(one)!r}" for one in there.get("none_of", ())),
        ]
        parts = (
            {"share": len(there["all_of"]) / len(wanted["all_of"])} if "all_of" in wanted else {}
        )
        return Score(value=float(not wrong), reason="; ".join(wrong), parts=parts)

    def _wanted(self, case: Case) -> tuple[dict[str, tuple[str, ...]], str | None]:
        """The phrases of each option that is set, or what the case lacks."""
        given = {
            name: value
            for name in ("any_of", "all_of", "none_of")
            if (value := getattr(self, name)) is not None
        }
        texts = {name: _texts(case, value) for name, value in given.items()}
        lack = next((one.lack for one in texts.values() if one.lack), None)
        return {name: one.texts for name, one in texts.items()}, lack


def _texts(case: Case, value: str | tuple[str, ...]) -> ExpectedTexts:
    if not isinstance(value, str):
        return ExpectedTexts(value)
    if not is_reference(value):
        return ExpectedTexts((value,))
    expected = texts_at(case, value)
    blank = any(not folded(one) for one in expected.texts)
    return ExpectedTexts(lack=f"{value} holds an empty phrase") if blank else expected


def _lacking(wanted: dict[str, tuple[str, ...]], there: dict[str, list[str]]) -> list[str]:
    lost = [one for one in wanted.get("all_of", ()) if one not in there["all_of"]]
    said = ["lacks " + ", ".join(repr(shown(one)) for one in lost[:5])] if lost else []
    if "any_of" in wanted and not there["any_of"]:
        said.append("has none of " + ", ".join(repr(shown(one)) for one in wanted["any_of"][:5]))
    return said


def _there(phrase: str, text: str, words: bool) -> bool:
    """Whether a text has a phrase, both as `folded` makes them."""
    place = text.find(phrase)
    while place >= 0:
        end = place + len(phrase)
        if not words or not (_joined(text, place) or _joined(text, end)):
            return True
        place = text.find(phrase, place + 1)
    return False


def _joined(text: str, place: int) -> bool:
    """Whether a word or a number goes on over this place."""
    before, after = text[max(0, place - 2) : place], text[place : place + 2]
    if not before or not after:
        return False
    if ONE.match(before[-1]) and ONE.match(after[0]):
        return True
    return bool(POINT.fullmatch(before + after[0]) or POINT.fullmatch(before[-1] + after))
