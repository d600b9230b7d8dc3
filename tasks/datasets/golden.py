"""Golden questions from settled answers."""

from collections.abc import Sequence

from llmops.tasks.datasets.evidence import SettledAnswer
from llmops.tasks.datasets.support import quote_of, supporting
from llmops.tasks.retrieval.golden import Question, Relevant

TAG = "feedback"


def golden_of(evidence: Sequence[SettledAnswer]) -> tuple[list[Question], int]:
    """The questions, and how many answers gave none: it is known what is right, but neither a
    reviewer nor the answer's passages say where it stands.
    """
    questions: list[Question] = []
    without = 0
    for each in evidence:
        if not each.expected:
            continue
        if relevant := relevant_to(each):
            questions.append(
                Question(
                    id=id_of(each),
                    question=each.question,
                    relevant=relevant,
                    answer=each.expected,
                    tags=(TAG,),
                    lineage=each.lineage,
                )
            )
        else:
            without += 1
    return questions, without


def relevant_to(evidence: SettledAnswer) -> tuple[Relevant, ...]:
    """What a reviewer ticked, else the passages that support what a good answer says."""
    ticked = tuple(
        dict.fromkeys(_ticked(name, evidence) for name in evidence.settled.relevant if name.strip())
    )
    return ticked or supporting(evidence.expected, evidence.passages)


def _ticked(name: str, evidence: SettledAnswer) -> Relevant:
    """The passage that a reviewer calls by its document's uri or by its own id."""
    for passage in evidence.passages:
        if name in (passage.chunk_id, passage.uri) and passage.uri:
            return Relevant(uri=passage.uri, quote=quote_of(evidence.expected, passage.text))
    return Relevant(uri=name)


def id_of(evidence: SettledAnswer) -> str:
    """The same for every kind of row that comes from a trace."""
    return f"{TAG}-{evidence.lineage.trace_id.removeprefix('tr-')}"
