"""`/v1/review`: the queue of answers that people look at."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from llmops.deployments.app.asking import person_of
from llmops.deployments.app.documents import BODY, described
from llmops.deployments.app.problems import HttpProblem, json_response
from llmops.deployments.app.reviewing import (
    ReviewedAnswer,
    answer_of,
    asked_for,
    blinded,
    may_adjudicate,
    opens,
    reviewer_of,
    seen_item,
    submitted,
)
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.errors import UsageError
from llmops.tasks.review import agreement, export, items, leases, reviewing
from llmops.tasks.review.agreement import ReviewAgreement, ReviewProgress
from llmops.tasks.review.finding import MOST, ReviewItems, find
from llmops.tasks.review.items import Draft, ReviewItem, State, Verdict
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import COMMENT_LENGTH, CORRECTION_LENGTH

router = APIRouter(tags=["review"])
ItemPath = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]
Queue = Annotated[str, Query(max_length=63)]
Reviewer = Annotated[str, Field(max_length=200)]


class ReviewRequest(BaseModel):
    """`reviewer`: who reviews, where nobody needs a key; else it is the key."""

    model_config = ConfigDict(extra="forbid")
    reviewer: Reviewer = ""


class ClaimRequest(ReviewRequest):
    """`queue`: "" is the application's own."""

    queue: str = Field(default="", max_length=63)
    minutes: float = Field(default=leases.MINUTES, gt=0, le=leases.MOST_MINUTES)


class DraftRequest(ReviewRequest):
    """What was typed so far."""

    draft: Draft = Draft()


class SubmitRequest(ReviewRequest):
    """`relevant`: uris of passages that answer the question; `seconds`: how long it took;
    `adjudicates`: ends a dispute, for editors.
    """

    verdict: Literal["good", "bad", "discard", "withdrawn"]
    correction: str = Field(default="", max_length=CORRECTION_LENGTH)
    relevant: list[Annotated[str, Field(max_length=reviewing.LONGEST_NAME)]] = Field(
        default=[], max_length=reviewing.MOST_RELEVANT
    )
    comment: str = Field(default="", max_length=COMMENT_LENGTH)
    seconds: float = Field(default=0.0, ge=0, le=reviewing.LONGEST_SECONDS)
    adjudicates: bool = False


class AskedForPerson(BaseModel):
    """`note`: what the person should know; `user`: as the client calls whoever asks."""

    model_config = ConfigDict(extra="forbid")
    trace_id: str = Field(pattern=r"^tr-[0-9a-f]{32}$")
    note: str = Field(default="", max_length=COMMENT_LENGTH)
    user: str = Field(default="", max_length=200)


class StandingReview(BaseModel):
    reviewer: str
    number: int
    verdict: str
    correction: str
    relevant: list[str]
    comment: str
    adjudicates: bool
    seconds: float
    created_at: datetime


class ReviewPassage(BaseModel):
    uri: str
    title: str
    text: str
    score: float | None


class ReviewFeedback(BaseModel):
    rating: str
    comment: str
    correction: str
    asked: bool


class ReviewItemReply(BaseModel):
    """`held_until`, `draft`: of whoever asks. `kept`: whether question, answer and passages are
    there to be read. `feedback`: what users said of the answer; `asked`: who had asked it.
    """

    id: str
    queue: str
    trace_id: str
    reasons: list[str]
    priority: float
    note: str
    wanted: int
    state: State
    verdict: str
    created_at: datetime
    closed_at: datetime | None
    held_until: datetime | None
    draft: Draft | None
    reviews: list[StandingReview]
    kept: bool
    question: str
    answer: str
    passages: list[ReviewPassage]
    feedback: list[ReviewFeedback]


class ReviewList(BaseModel):
    items: list[ReviewItemReply]
    total: int


class ClaimReply(BaseModel):
    """`item`: None where nothing is left."""

    item: ReviewItemReply | None


class ProgressReply(BaseModel):
    progress: ReviewProgress
    agreement: ReviewAgreement


class AskReply(BaseModel):
    item: str


LISTED = described(ReviewList, 504)
LISTED["responses"][200]["content"] = {
    kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")
}


@router.get("/v1/review", **LISTED)
async def listed(
    request: Request,
    queue: Queue = "",
    state: State | None = None,
    verdict: Verdict | None = None,
    reason: Annotated[str, Query(max_length=63)] = "",
    rating: Literal["up", "down"] | None = None,
    text: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    format: Literal["json", "jsonl", "csv"] = "json",
) -> Response:
    """Items, highest priority first: as one object without questions and answers, or with them as
    JSON lines or CSV, a line for each review.
    """
    services, visit = services_of(request), visit_of(request)

    def work() -> ReviewItems:
        return find(
            services.home,
            services.app,
            queue=queue,
            state=state or "",
            verdict=verdict or "",
            reason=reason,
            rating=rating or "",
            text=text,
            labels=visit.labels,
            limit=limit,
            offset=offset,
        )

    found = await asyncio.to_thread(work)
    whole, who = may_adjudicate(visit), await asyncio.to_thread(_known, services, visit)
    shown = [blinded(each, who, adjudicates=whole) for each in found.items]
    if format == "json":
        told = [item_shown(each, ReviewedAnswer(kept=False)) for each in shown]
        return json_response({"items": told, "total": found.total})
    made = export.rows(services.home, shown, opens(services, visit))
    first, kind = (
        (export.as_csv(made), "text/csv")
        if format == "csv"
        else (export.as_json_lines(made), "application/x-ndjson")
    )
    lines = await asyncio.to_thread(list, first)  # whatever fails, fails before an answer begins
    headers = {"content-disposition": f'attachment; filename="review.{format}"'}
    return Response("".join(lines), headers=headers, media_type=kind)


@router.post("/v1/review/claim", **described(ClaimReply, 404, 504, *BODY))
async def claim(request: Request, body: ClaimRequest) -> Response:
    """Take the next item in hand, for some minutes; again while it is: the same one."""

    def work(services: Services, visit: AppVisit, reviewer: str) -> object:
        item = leases.claim(
            services.home, services.app, body.queue, reviewer, body.minutes, labels=visit.labels
        )
        return {"item": _whole(services, visit, item, reviewer) if item else None}

    return await _done(request, body.reviewer, work)


@router.put("/v1/review/{item_id}/draft", **described(ReviewItemReply, 404, 504, *BODY))
async def draft(request: Request, item_id: ItemPath, body: DraftRequest) -> Response:
    """Keep what was typed so far, and the item in hand; `held_until` null: others have it now."""

    def work(services: Services, visit: AppVisit, reviewer: str) -> object:
        seen_item(services, visit, item_id)
        item = leases.save_draft(services.home, item_id, reviewer, body.draft)
        return _whole(services, visit, item, reviewer)

    return await _done(request, body.reviewer, work)


@router.post("/v1/review/{item_id}/release", **described(ReviewItemReply, 404, 504, *BODY))
async def release(request: Request, item_id: ItemPath, body: ReviewRequest) -> Response:
    """Put an item back: others may take it, and it comes to this reviewer last."""

    def work(services: Services, visit: AppVisit, reviewer: str) -> object:
        seen_item(services, visit, item_id)
        leases.release(services.home, item_id, reviewer)
        item = items.item(services.home, services.app, item_id, reviewer)
        return _whole(services, visit, item, reviewer)

    return await _done(request, body.reviewer, work)


@router.get("/v1/review/progress", **described(ProgressReply))
async def progress(request: Request, queue: Queue = "") -> Response:
    """How far the queue and its reviewers have come, and how far they agree."""
    services = services_of(request)

    def work() -> dict[str, object]:
        come = agreement.progress(services.home, services.app, queue)
        agreed = agreement.agreement(services.home, services.app, queue)
        return {"progress": come.model_dump(mode="json"), "agreement": agreed.model_dump()}

    return json_response(await asyncio.to_thread(work))


@router.post("/v1/review/ask", **described(AskReply, 404, 504, *BODY))
async def ask(request: Request, body: AskedForPerson) -> Response:
    """Put an answer of one's own before people; asking again changes the note. Answers of other
    keys are not there for a key, unless it may review.
    """
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, body.user)

    def work() -> str:
        unknown = HttpProblem(404, "no such answer of this application", code="trace_not_found")
        services.traces.enter(body.trace_id)
        row = index.row(services.home, body.trace_id)
        reviews = visit.key is not None and visit.key.may("review")
        if row is not None and row.key_id != visit.key_id and not reviews:
            raise unknown
        try:
            return asked_for(services, body.trace_id, person, body.note)
        except UsageError as error:
            raise unknown from error

    return json_response({"item": await asyncio.to_thread(work)})


@router.get("/v1/review/{item_id}", **described(ReviewItemReply, 404))
async def shown(request: Request, item_id: ItemPath) -> Response:
    """An item with question, answer and passages."""
    services, visit = services_of(request), visit_of(request)

    def work() -> object:
        reviewer = _known(services, visit)
        item = seen_item(services, visit, item_id, reviewer)
        return _whole(services, visit, item, reviewer)

    return json_response(await asyncio.to_thread(work))


@router.post("/v1/review/{item_id}", **described(ReviewItemReply, 404, 504, *BODY))
async def submit(request: Request, item_id: ItemPath, body: SubmitRequest) -> Response:
    """Say what an answer is worth. A later review of the same person takes the place of the first,
    which stays in the item's history; `withdrawn` takes it back.
    """
    said = reviewing.Review(
        body.verdict, body.correction, tuple(body.relevant), body.comment, body.seconds
    )

    def work(services: Services, visit: AppVisit, reviewer: str) -> object:
        if body.adjudicates and not may_adjudicate(visit):
            told = "only an editor may end a dispute"
            raise HttpProblem(403, told, code="insufficient_scope")
        item = seen_item(services, visit, item_id, reviewer)
        answer = answer_of(services, visit, item)
        if (doubt := reviewing.unsure(said, answer.answer)) is not None:
            told = f"{doubt.message}; {doubt.hint}"
            raise HttpProblem(400, told, code="invalid_value", param=doubt.where)
        item = submitted(services, item, reviewer, said, adjudicates=body.adjudicates)
        return item_shown(blinded(item, reviewer, adjudicates=may_adjudicate(visit)), answer)

    return await _done(request, body.reviewer, work)


def _known(services: Services, visit: AppVisit) -> str:
    """Who looks; "" where nobody is named."""
    return reviewer_of(services, visit) if visit.key or visit.session else ""


async def _done(
    request: Request, name: str, work: Callable[[Services, AppVisit, str], object]
) -> Response:
    services, visit = services_of(request), visit_of(request)

    def worked() -> object:
        return work(services, visit, reviewer_of(services, visit, name))

    return json_response(await asyncio.to_thread(worked))


def _whole(
    services: Services, visit: AppVisit, item: ReviewItem, reviewer: str
) -> dict[str, object]:
    answer = answer_of(services, visit, item)
    return item_shown(blinded(item, reviewer, adjudicates=may_adjudicate(visit)), answer)


def item_shown(item: ReviewItem, answer: ReviewedAnswer) -> dict[str, object]:
    """As it is told over HTTP: reviewers by their pseudonyms."""
    told = item.model_dump(mode="json", exclude={"app", "key_id", "asked_by", "reviews"})
    inner = {"item_id", "trace_id", "latest"}
    return {
        **told,
        "reviews": [each.model_dump(mode="json", exclude=inner) for each in item.reviews],
        **answer._asdict(),
        "passages": [each._asdict() for each in answer.passages],
        "feedback": [each._asdict() for each in answer.feedback],
    }
