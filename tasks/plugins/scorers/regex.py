"""Whether a regular expression finds something in the answer."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import (
    field_of,
    is_reference,
    texts_at,
    unanswerable,
    without,
)
from llmops.tasks.texts.comparable import nfkc, shown
from llmops.tasks.texts.patterns import Slow, compiled, finds

Flag = Literal["ignore_case", "multiline", "dot_all"]
NAMES = {"ignore_case": "IGNORECASE", "multiline": "MULTILINE", "dot_all": "DOTALL"}


class RegexScorer(Scorer):
    """1 when `pattern` is found in the answer (`match: full`: matches all of it), else 0; with
    `absent` the other way round.

    `pattern` is a regular expression as in Python's `re`, or where each case has its own:
    `expected.pattern` (one of a list is enough). It is searched in the answer as it is and in its
    NFKC form. `read`: a field of a structured answer instead of the whole.

    A pattern such as `(a|aa)+$` can take longer than a life. The module `regex`, which is used
    instead of `re`, gives up after `seconds` of computing: the answer is then counted as not
    scored, with the scorer at fault, and the run goes on.
    """

    requires: ClassVar[Mapping[str, str]] = {"regex": "pip install regex"}
    pattern: str = Field(default="expected.pattern", min_length=1)
    match: Literal["search", "full"] = "search"
    flags: tuple[Flag, ...] = ()
    """Of Python's regular expressions."""
    absent: bool = False
    seconds: float = Field(default=1.0, gt=0, le=60)
    read: str | None = Field(default=None, min_length=1)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        if not is_reference(value):
            compiled(value)
        return value

    def missing(self, case: Case) -> str | None:
        if not is_reference(self.pattern) or (
            unanswerable(case) and texts_at(case, self.pattern).lack
        ):
            return None
        return self._patterns(case)[1]

    def score(self, sample: Sample) -> Score:
        patterns, lack = self._patterns(sample.case)
        if lack:
            return without(sample.case, lack)
        given = field_of(sample, self.read)
        try:
            hit = next(
                (match for one in patterns if (match := self._first(one, given)) is not None), None
            )
        except Slow as error:
            return Score(value=None, reason=f"{error} on this answer; make it simpler", failed=True)
        return Score(
            value=float((hit is None) == self.absent),
            reason="nothing found" if hit is None else f"found {shown(hit)!r}",
        )

    def _first(self, pattern: str, given: str) -> str | None:
        made = compiled(pattern, tuple(NAMES[flag] for flag in self.flags))
        texts = dict.fromkeys([given, nfkc(given)])
        matches = (
            finds(made, text, whole=self.match == "full", seconds=self.seconds) for text in texts
        )
        return next((match for match in matches if match is not None), None)

    def _patterns(self, case: Case) -> tuple[tuple[str, ...], str | None]:
        """Those for a case, or what is wrong with them."""
        if not is_reference(self.pattern):
            return (self.pattern,), None
        expected = texts_at(case, self.pattern)
        try:
            for one in expected.texts:
                compiled(one)
        except ValueError as error:
            return (), f"{self.pattern}: {error}"
        return expected.texts, expected.lack
