"""What a judge is told and shown, and the form of what it replies.

Other words here give other grades: raise the `revision` of both judges with them, and every
calibration is done anew.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Passage, Sample
from llmops.tasks.plugins.scorers._judging import reason_of
from llmops.tasks.plugins.scorers._judging.material import DATA
from llmops.tasks.statistics.scales import Grade, read_grade

Sees = Literal["expected", "passages"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


def _of_differing_names(criteria: dict[str, str]) -> dict[str, str]:
    if "reason" in criteria or "grade" in criteria:
        raise ValueError(
            "a criterion cannot be called reason or grade: the judge's reply uses these words"
        )
    return criteria


Criteria = Annotated[dict[Name, Text], AfterValidator(_of_differing_names)]
ANSWER = "An empty block is an empty answer."


def rules(rubric: str, criteria: Mapping[str, str], grades: Sequence[Grade]) -> str:
    """The system message of a judge of one answer: the same for all answers, so that endpoints can
    keep it at hand.
    """
    scale = f"The grades, from the worst to the best: {', '.join(map(str, grades))}."
    named = "\n".join(f"- {name}: {text}" for name, text in criteria.items())
    form = (
        "Reply with a JSON object that has a key for every criterion; its value is an "
        'object with "reason" first, one to three '
        'sentences that point to what the answer says, then "grade".'
        if criteria
        else 'Reply with a JSON object: "reason" first, one to three sentences that point to '
        'what the answer says, then "grade".'
    )
    return "\n\n".join(
        filter(
            None,
            [
                "You grade an answer to a question by a rubric.",
                rubric and f"The rubric:\n{rubric}",
                named and f"The criteria, each graded by itself:\n{named}",
                scale,
                DATA,
                ANSWER,
                form,
            ],
        )
    )


def schema(grades: Sequence[Grade], criteria: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON schema of the reply. Grades are texts, since some endpoints know enumerations of
    texts alone.
    """
    one = obliging(
        {
            "reason": {"type": "string"},
            "grade": {"type": "string", "enum": [str(grade) for grade in grades]},
        }
    )
    return obliging(dict.fromkeys(criteria, one)) if criteria else one


def obliging(properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has these properties, in this order, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_graded(
    content: Mapping[str, Any], grades: Sequence[Grade], criteria: Sequence[str] = ()
) -> dict[str, tuple[Grade, str]]:
    """Grade and reason by criterion; without criteria by the empty name. Raises ValueError saying
    what is wrong.
    """
    found = {}
    for name in criteria or [""]:
        one: Any = content.get(name) if name else content
        if not (isinstance(one, dict) and "grade" in one):
            raise ValueError(
                f'{name!r} must be an object with "reason" and "grade"'
                if name
                else '"grade" is missing'
            )
        found[name] = (read_grade(one["grade"], grades), reason_of(one))
    return found


def background(sample: Sample, sees: Sequence[Sees]) -> list[tuple[str, str]]:
    """The question, and the expected answer where the judge sees it."""
    found = [("question", sample.question or canonical(sample.case.inputs))]
    return [*found, ("expected answer", expected(sample.case))] if "expected" in sees else found


def expected(case: Case) -> str:
    """The expected answer as a text; several are alternatives, one a line."""
    answer = case.expected.get("answer")
    if isinstance(answer, list):
        return "\n".join(one if isinstance(one, str) else canonical(one) for one in answer)
    return answer if isinstance(answer, str) else canonical(answer)


def lacking(case: Case, sees: Sequence[Sees]) -> str | None:
    """What a case does not say although the judge is to see it."""
    absent = "expected" in sees and case.expected.get("answer") in (None, "", [])
    return (
        "expected.answer is missing: the judge compares the answer with it (sees: [expected])"
        if absent
        else None
    )


def listed(passages: Sequence[Passage]) -> str:
    """The passages as prompts show them."""
    return (
        "\n\n".join(
            f"[{number}] {one.title}\n{one.text}".replace("] \n", "]\n")
            for number, one in enumerate(passages, 1)
        )
        or "(none)"
    )


def shown_reason(graded: Mapping[str, tuple[Grade, str]]) -> str:
    """The reasons of a reading as one text."""
    return "\n".join(
        f"{name}: {grade}: {reason}" if name else reason for name, (grade, reason) in graded.items()
    )
