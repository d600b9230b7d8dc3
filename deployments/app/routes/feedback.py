"""`/v1/feedback`: what people say of an answer."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from starlette.responses import Response

from llmops.deployments.app.asking import person_of
from llmops.deployments.app.documents import BODY, described
from llmops.deployments.app.problems import HttpProblem, json_response
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.errors import UsageError
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import COMMENT_LENGTH, CORRECTION_LENGTH, Feedback

router = APIRouter(tags=["feedback"])
UNSURE = (
    "got the rating up and a better answer: one of the two is not meant; "
    "say down, with the correction, or up, without it"
)


class FeedbackRequest(BaseModel):
    """`rating` null withdraws what was said; `correction`: what the answer should have been."""

    model_config = ConfigDict(extra="forbid")
    trace_id: str = Field(pattern=r"^tr-[0-9a-f]{32}$")
    rating: Literal["up", "down"] | None
    comment: str = Field(default="", max_length=COMMENT_LENGTH)
    correction: str = Field(default="", max_length=CORRECTION_LENGTH)
    user: str = Field(default="", max_length=200)

    @field_validator("correction")
    @classmethod
    def _one_of_the_two(cls, value: str, info: ValidationInfo) -> str:
        if value.strip() and info.data.get("rating") == "up":
            raise ValueError(UNSURE)
        return value


class FeedbackReply(BaseModel):
    trace_id: str
    status: Literal["recorded", "updated"]


class OpenedRequest(BaseModel):
    """`chunk_id` and `version`: of a citation of the answer."""

    model_config = ConfigDict(extra="forbid")
    trace_id: str = Field(pattern=r"^tr-[0-9a-f]{32}$")
    chunk_id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,32}$")
    version: int = Field(ge=0, lt=2**31)
    user: str = Field(default="", max_length=200)


class OpenedReply(BaseModel):
    """`ignored`: traces keep no content here."""

    trace_id: str
    status: Literal["recorded", "updated", "ignored"]


@router.post("/v1/feedback", **described(FeedbackReply, 404, 504, *BODY))
async def feedback(request: Request, body: FeedbackRequest) -> Response:
    """Rate an answer, as soon as its trace_id is known. A second time from the same person takes
    the place of the first. A better answer goes with down: with up it is refused. Answers of other
    keys are not there for a key, unless it may review.
    """
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, body.user)
    status = await asyncio.to_thread(_rated, services, visit, body, person)
    return json_response({"trace_id": body.trace_id, "status": status})


@router.post("/v1/feedback/opened", **described(OpenedReply, 404, 504, *BODY))
async def opened(request: Request, body: OpenedRequest) -> Response:
    """Somebody opened a source of an answer: noted once per answer, person and passage."""
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, body.user)
    status = await asyncio.to_thread(_opened, services, visit, body, person)
    return json_response({"trace_id": body.trace_id, "status": status})


def _opened(services: Services, visit: AppVisit, body: OpenedRequest, person: str) -> str:
    unknown = _theirs(services, visit, body.trace_id)
    try:
        return services.traces.opened(body.trace_id, person, body.chunk_id, body.version)
    except UsageError as error:
        raise unknown from error


def _theirs(services: Services, visit: AppVisit, trace_id: str) -> HttpProblem:
    """What is said of a trace that is not theirs. Raises it where that is known."""
    unknown = HttpProblem(404, "no such answer of this application", code="trace_not_found")
    row = index.row(services.home, trace_id)
    reviews = visit.key is not None and visit.key.may("review")
    if row is not None and row.key_id != visit.key_id and not reviews:
        raise unknown
    return unknown


def _rated(services: Services, visit: AppVisit, body: FeedbackRequest, person: str) -> str:
    unknown = _theirs(services, visit, body.trace_id)
    said = Feedback(body.rating, body.comment, body.correction)
    try:
        return services.traces.feedback(body.trace_id, person, said, visit.key_id)
    except UsageError as error:
        raise unknown from error
