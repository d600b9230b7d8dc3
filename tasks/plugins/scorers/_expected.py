"""What scorers compare an answer with: texts of the case, found by a reference such as
`expected.answer`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer

REFERENCE = re.compile(r"(?:expected|inputs)(?:\.[^\s.]+)+")


def is_reference(value: object) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def _checked(value: str) -> str:
    if not is_reference(value):
        raise ValueError(
            f"got {value!r}; a reference into the case is wanted, such as expected.answer "
            f"or inputs.question"
        )
    return value


Reference = Annotated[str, AfterValidator(_checked)]


class ExpectedTexts(NamedTuple):
    """Texts of a case; `lack` says why there are none."""

    texts: tuple[str, ...] = ()
    lack: str | None = None


def at(value: Any, path: str, default: Any = None) -> Any:
    """What stands in nested objects at a path such as `result.label`; `default` where nothing
    does.
    """
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def value_at(case: Case, reference: str, default: Any = None) -> Any:
    """What a case has at a reference."""
    return at({"expected": case.expected, "inputs": case.inputs}, reference, default)


def texts_at(case: Case, reference: str) -> ExpectedTexts:
    """The text at a reference, or the texts of a list; numbers and booleans as JSON writes them."""
    value = value_at(case, reference)
    if value is None:
        return ExpectedTexts(lack=f"{reference} is missing")
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        return ExpectedTexts(lack=f"{reference} is an empty list")
    strange = next(
        (type(one).__name__ for one in values if not isinstance(one, str | int | float)), None
    )
    if strange:
        return ExpectedTexts(
            lack=f"{reference} holds a value of the type {strange}; a text or a list of texts "
            f"is wanted"
        )
    return ExpectedTexts(tuple(one if isinstance(one, str) else json.dumps(one) for one in values))


def unanswerable(case: Case) -> bool:
    """Whether the case says that the right answer is to refuse."""
    return case.expected.get("answerable") is False or case.expected.get("refuse") is True


def field_of(sample: Sample, read: str | None) -> str:
    """The answer, or the field `read` of a structured one (`result.label`); empty where it has no
    such field.
    """
    if read is None:
        return sample.answer
    value = at(sample.parsed, read)
    return (
        value
        if isinstance(value, str)
        else ""
        if value is None
        else json.dumps(value, ensure_ascii=False, default=str)
    )


class ComparingScorer(Scorer, ABC):
    """Compares the answer with one text of the case, or the best of several.

    `answer` says where they are. `read`: the field of a structured answer that is compared (`read:
    result.label`) instead of the whole. A case that has none, because its right answer is a refusal
    (`answerable: false`), is not scored: see `refusal`.
    """

    answer: Reference = "expected.answer"
    read: str | None = Field(default=None, min_length=1)

    def missing(self, case: Case) -> str | None:
        return None if unanswerable(case) else texts_at(case, self.answer).lack

    def score(self, sample: Sample) -> Score:
        """The best of the expected texts counts."""
        wanted = texts_at(sample.case, self.answer)
        if wanted.lack:
            return without(sample.case, wanted.lack)
        return self.compare(field_of(sample, self.read), wanted.texts)

    @abstractmethod
    def compare(self, given: str, wanted: Sequence[str]) -> Score:
        """The score of a text against texts, of which there is at least one."""


def without(case: Case, lack: str) -> Score:
    """No value, because the case lacks what is needed."""
    return Score(
        value=None,
        reason="the right answer is a refusal; the scorer refusal looks at those"
        if unanswerable(case)
        else lack,
    )
