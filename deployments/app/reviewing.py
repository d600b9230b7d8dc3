"""The review queue for whoever looks at it over HTTP or in the page: as whom, what they may see,
and the answer that an item is about.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from llmops.deployments.app.asking import person_name, pseudonym
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.chat.corrections import searched_with
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.review import items
from llmops.tasks.review.export import traces_of
from llmops.tasks.review.items import ItemId, ReviewItem
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.review.visible import visible
from llmops.tasks.traces import index
from llmops.tasks.traces.trace import Trace

UNKNOWN = "item_not_found"


class ReviewedPassage(NamedTuple):
    """What the answer was given from. `uri` names it in golden sets."""

    uri: str
    title: str
    text: str
    score: float | None


class UserFeedback(NamedTuple):
    """What a user said of the answer. `asked`: it is who asked the question."""

    rating: str
    comment: str
    correction: str
    asked: bool


class ReviewedAnswer(NamedTuple):
    """`kept`: whether the trace is there to be read."""

    kept: bool
    question: str = ""
    answer: str = ""
    passages: tuple[ReviewedPassage, ...] = ()
    feedback: tuple[UserFeedback, ...] = ()


def reviewer_of(services: Services, visit: AppVisit, name: str = "") -> str:
    """The pseudonym of whoever reviews: their key or their session; where neither is there, the
    name that they give. Raises HttpProblem where nobody is named.
    """
    given = "" if visit.key or visit.session else name.strip()
    called = person_name(services.app, visit, given)
    if not called:
        told = "reviewer: a name is wanted, where nobody needs a key"
        raise HttpProblem(400, told, code="invalid_value", param="reviewer")
    return pseudonym(services, called)


def may_adjudicate(visit: AppVisit) -> bool:
    """Editors; where nobody needs a key, everybody."""
    return visit.key is None or visit.key.may("curate")


def seen_item(services: Services, visit: AppVisit, item_id: str, reviewer: str = "") -> ReviewItem:
    """An item that whoever looks may see. Raises HttpProblem, the same for one that there is not
    and one that is not for them.
    """
    unknown = HttpProblem(404, "no such item in this queue", code=UNKNOWN)
    try:
        item = items.item(services.home, services.app, item_id, reviewer)
    except UsageError as error:
        raise unknown from error
    with existing_ledger(services.home).read() as connection:
        if not visible(connection, item_id, visit.labels):
            raise unknown
    return item


def answer_of(services: Services, visit: AppVisit, item: ReviewItem) -> ReviewedAnswer:
    """Question, answer, passages, and what users said of it. Raises HttpProblem where they were
    found with labels that whoever looks does not hold, Unavailable where MLflow does not answer.
    """
    trace = traces_of(services.home, [item.trace_id]).get(item.trace_id)
    said = feedback_on(services, item.trace_id)
    if trace is None:
        return ReviewedAnswer(kept=False, feedback=said)
    if not opens(services, visit)(trace):
        raise HttpProblem(404, "no such item in this queue", code=UNKNOWN)
    return ReviewedAnswer(True, trace.question, trace.answer, passages_of(trace), said)


def questions_of(
    services: Services, visit: AppVisit, found: Sequence[ReviewItem]
) -> dict[ItemId, str]:
    """What was asked, of those items whose answers whoever looks may see; nothing where MLflow does
    not answer.
    """
    try:
        traces = traces_of(services.home, [each.trace_id for each in found])
    except Unavailable:
        return {}
    may = opens(services, visit)
    there = ((each.id, traces.get(each.trace_id)) for each in found)
    return {key: trace.question for key, trace in there if trace and may(trace)}


def opens(services: Services, visit: AppVisit) -> Callable[[Trace], bool]:
    """Whether whoever looks may see a trace: they hold all labels that it was searched with."""
    held = visit.labels | frozenset(services.config.retrieve.labels)
    return lambda trace: held.issuperset(searched_with(trace) or ())


def feedback_on(services: Services, trace_id: str) -> tuple[UserFeedback, ...]:
    """Who asked comes first; ratings that were withdrawn are left out."""
    row = index.row(services.home, trace_id)
    said = [
        UserFeedback(
            each.rating,
            each.comment,
            each.correction,
            asked=row is not None and (each.person, each.key_id) == (row.person, row.key_id),
        )
        for each in index.feedback_on(services.home, trace_id)
        if each.rating
    ]
    return tuple(sorted(said, key=lambda each: not each.asked))


def passages_of(trace: Trace) -> tuple[ReviewedPassage, ...]:
    """Those that a search found, best first, each once."""
    found = dict[tuple[str, str], ReviewedPassage]()
    for span in trace.spans:
        outputs = span.outputs if span.kind == "RETRIEVER" else None
        for each in outputs if isinstance(outputs, list | tuple) else ():
            passage = _passage(each)
            if passage is not None:
                found.setdefault((passage.uri, passage.text), passage)
    return tuple(found.values())


def _passage(value: object) -> ReviewedPassage | None:
    if not isinstance(value, Mapping) or not isinstance(value.get("metadata"), Mapping):
        return None
    metadata: Mapping[str, object] = value["metadata"]
    score = metadata.get("score")
    return ReviewedPassage(
        uri=str(metadata.get("uri", "")),
        title=str(metadata.get("title") or ""),
        text=str(value.get("page_content", "")),
        score=float(score) if isinstance(score, int | float) else None,
    )


def blinded(item: ReviewItem, reviewer: str, *, adjudicates: bool) -> ReviewItem:
    """What others have said is shown once one has said something oneself, or where the item is no
    longer open: reviewers who see each other agree too easily. Whoever adjudicates sees all.
    """
    mine = tuple(each for each in item.reviews if each.reviewer == reviewer)
    own = any(each.verdict != "withdrawn" for each in mine)
    if adjudicates or own or item.state != "open":
        return item
    return item.model_copy(update={"reviews": mine})


def submitted(
    services: Services,
    item: ReviewItem,
    reviewer: str,
    said: Review,
    *,
    adjudicates: bool,
) -> ReviewItem:
    """Raises HttpProblem for what the room does not take."""
    try:
        return submit(services.home, services.app, item.id, reviewer, said, adjudicates=adjudicates)
    except UsageError as error:
        raise HttpProblem(
            400, error.message, code="invalid_value", param=error.where or None
        ) from error


def asked_for(services: Services, trace_id: str, person: str, note: str) -> ItemId:
    """Put an answer before people, also one that is not stored or entered yet. Raises UsageError as
    `ask_a_person` does.
    """
    services.traces.enter(trace_id)
    item = items.ask_a_person(services.home, services.app, "", trace_id, person, note)
    services.traces.keep(trace_id)
    return item
