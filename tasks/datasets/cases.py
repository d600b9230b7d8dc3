"""Evaluation cases from settled answers."""

from collections.abc import Sequence

from llmops.tasks.datasets.evidence import SettledAnswer
from llmops.tasks.datasets.golden import TAG, id_of, relevant_to
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.schemas import sha256


def cases_of(evidence: Sequence[SettledAnswer]) -> list[Case]:
    """A case for every answer of which it is known what is right."""
    return [
        Case(
            id=_id(each),
            inputs={"question": each.question},
            expected=_expected(each),
            group=each.group,
            tags=(TAG,),
            lineage=each.lineage,
        )
        for each in evidence
        if each.expected
    ]


def _id(evidence: SettledAnswer) -> str:
    """Another one where something else is expected: evaluations refuse a case that changes."""
    said = canonical([evidence.question, _expected(evidence)])
    return f"{id_of(evidence)}-{sha256(said)[:8]}"


def _expected(evidence: SettledAnswer) -> dict[str, object]:
    uris = list(dict.fromkeys(each.uri for each in relevant_to(evidence)))
    return {"answer": evidence.expected} | ({"uris": uris} if uris else {})
