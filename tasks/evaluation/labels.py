"""Answers that people have graded: JSON lines, every mistake at once.

    {"id": "l1", "question": "…", "answer": "…", "expected": "…", "passages": ["…"], "label": 4}
    {"id": "l2", "question": "…", "a": "…", "b": "…", "preferred": "a"}

`inputs` may stand for `question`; `labels: [4, 5, null]` for `label` and `preferred` where several
people graded: one place per rater, the same in every line.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.tasks.errors import ConfigError, Mistake, UsageError
from llmops.tasks.evaluation.cases import MOST_MISTAKES, given_passages
from llmops.tasks.evaluation.run import question
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Sample
from llmops.tasks.schemas import sha256
from llmops.tasks.statistics.scales import Grade, read_grade

Rating = Grade | None


class LabelRow(BaseModel):
    """A line as it stands in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1)
    inputs: dict[str, Any] = Field(default_factory=dict)
    question: str | None = None
    answer: str | None = None
    a: str | None = None
    b: str | None = None
    expected: dict[str, Any] | str | list[Any] = Field(default_factory=dict)
    passages: Any = ()
    label: Any = None
    preferred: Any = None
    labels: list[Any] = Field(default_factory=list)
    group: str | None = None
    tags: list[str] = Field(default_factory=list)


class Labelled(BaseModel):
    """An answer with the grades of people, or two answers, of which `other` is b. A rater who gave
    no grade has None in `ratings`.
    """

    model_config = ConfigDict(frozen=True)
    sample: Sample
    other: Sample | None
    ratings: tuple[Rating, ...]


class LabelSet(BaseModel):
    """`sha256` is of what the lines say: spaces, empty lines and the order of keys do not change
    it.
    """

    model_config = ConfigDict(frozen=True)
    rows: tuple[Labelled, ...]
    sha256: str


def read_labels(path: Path, judge: Judge) -> LabelSet:
    """The labels of a judge. Raises ConfigError with every mistake (the first fifty), each with its
    line.
    """
    mistakes: list[Mistake] = []
    rows: dict[str, Labelled] = {}
    said: list[str] = []
    for where, content in _lines(path, mistakes):
        try:
            row = LabelRow.model_validate(content)
            if row.id in rows:
                raise ValueError(f"the id {row.id!r} stands here a second time")
            rows[row.id] = _labelled(row, judge)
        except ValidationError as error:
            mistakes += [
                Mistake(f"{'.'.join(map(str, one['loc']))}: {one['msg']}", where=where)
                for one in error.errors(include_url=False)
            ]
        except (ValueError, UsageError) as error:
            mistakes.append(Mistake(str(error), where=where))
        said.append(canonical(content))
    ratings = [rating for row in rows.values() for rating in row.ratings]
    if not mistakes and all(rating is None for rating in ratings):
        mistakes.append(Mistake("no answer in this file is graded", where=str(path)))
    if mistakes:
        raise ConfigError(mistakes[:MOST_MISTAKES])
    return LabelSet(rows=tuple(rows.values()), sha256=sha256("\n".join(said)))


def sha256_of(path: Path) -> str | None:
    """As in a LabelSet; None for a file that is not there or cannot be read."""
    mistakes: list[Mistake] = []
    try:
        said = [canonical(content) for _, content in _lines(path, mistakes)]
    except ConfigError:
        return None
    return None if mistakes else sha256("\n".join(said))


def _lines(path: Path, mistakes: list[Mistake]) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [
                Mistake(
                    f"the labels cannot be read: {error}",
                    where=str(path),
                    hint="a label is a line such as "
                    '{"id": "l1", "question": "…", "answer": "…", "label": 4}',
                )
            ]
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip():
                yield f"{path}:{number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            mistakes.append(
                Mistake(
                    f"not JSON: {error}", where=f"{path}:{number}", hint="one JSON object per line"
                )
            )


def _labelled(row: LabelRow, judge: Judge) -> Labelled:
    pair = isinstance(judge, PairJudge)
    first, second = (row.a, row.b) if pair else (row.answer, None)
    if first is None or (pair and second is None):
        raise ValueError(
            "this judge compares two answers: `a` and `b` are wanted"
            if pair
            else "`answer` is wanted"
        )
    sample = _sample(row, first)
    if lack := judge.missing(sample.case):
        raise ValueError(lack)
    given = row.labels or [row.preferred if row.label is None else row.label]
    ratings = tuple(None if one is None else read_grade(one, judge.grades) for one in given)
    return Labelled(
        sample=sample, other=_sample(row, second) if second is not None else None, ratings=ratings
    )


def _sample(row: LabelRow, answer: str) -> Sample:
    inputs = row.inputs | ({"question": row.question} if row.question is not None else {})
    if not inputs:
        raise ValueError("`question` or `inputs` is wanted")
    expected = row.expected if isinstance(row.expected, dict) else {"answer": row.expected}
    case = Case(id=row.id, inputs=inputs, expected=expected)
    return Sample(
        case=case, answer=answer, question=question(inputs), passages=given_passages(row.passages)
    )


def consensus(row: Labelled, judge: Judge) -> Grade | None:
    """What people say together: the median of their grades, the worse of two middle ones; None
    without a grade.

    Of two answers that one is better which more than half prefer, else it is a tie.
    """
    grades = judge.grades
    places = sorted(grades.index(one) for one in row.ratings if one is not None)
    if not places:
        return None
    if isinstance(judge, PairJudge):
        return next(
            (grades[place] for place in places if 2 * places.count(place) > len(places)),
            grades[len(grades) // 2],
        )
    return grades[places[(len(places) - 1) // 2]]
