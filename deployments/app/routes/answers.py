"""`/v1/answers`: curated answers, for editors. What an editor writes, everybody is told."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path as PathOnDisk
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from llmops.deployments.app.asking import person_name
from llmops.deployments.app.documents import BODY, described
from llmops.deployments.app.problems import HttpProblem, json_response
from llmops.deployments.app.services import services_of
from llmops.deployments.app.visit import visit_of
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.chat import curated
from llmops.tasks.chat.corrections import from_trace
from llmops.tasks.chat.curated import LONGEST_ANSWER, LONGEST_QUESTION, CuratedAnswer, NewCurated
from llmops.tasks.errors import UsageError
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import unknown

router = APIRouter(tags=["answers"])
AnswerId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]


class CuratedRequest(BaseModel):
    """`labels`: whoever gets it holds all of them; not given: those that were held when the answer
    of `trace_id` was asked for. `threshold`: how like a question has to be.
    """

    model_config = ConfigDict(extra="forbid")
    question: str = Field(min_length=1, max_length=LONGEST_QUESTION, pattern=r"\S")
    answer: str = Field(min_length=1, max_length=LONGEST_ANSWER, pattern=r"\S")
    labels: list[str] | None = Field(default=None, max_length=50)
    threshold: float | None = Field(default=None, gt=0, le=1)
    trace_id: str = Field(default="", pattern=r"^(tr-[0-9a-f]{32})?$")


class CuratedReply(BaseModel):
    id: str
    question: str
    answer: str
    labels: list[str]
    threshold: float | None
    trace_id: str
    hits: int
    created_at: datetime
    retired_at: datetime | None


class CuratedList(BaseModel):
    data: list[CuratedReply]


@router.get("/v1/answers", **described(CuratedList))
async def answers(request: Request) -> Response:
    """The curated answers that are given, oldest first, with how often each was."""
    services = services_of(request)
    found = await asyncio.to_thread(curated.listed, services.home, services.app)
    return json_response({"data": [_shown(each) for each in found]})


@router.post("/v1/answers", **described(CuratedReply, 404, *BODY))
async def add(request: Request, body: CuratedRequest) -> Response:
    """Keep an answer: the same question gets it from then on. It stands in the audit log."""
    given = body.model_dump() | {"labels": frozenset(body.labels or ())}
    new = NewCurated.model_validate(given)

    def change(home: PathOnDisk, app: str) -> CuratedAnswer:
        asks = body.labels is None and bool(new.trace_id)
        if asks and index.row(home, new.trace_id) is None:
            raise unknown(new.trace_id)  # MLflow need not be asked
        return curated.add(home, app, from_trace(home, app, new.trace_id, new) if asks else new)

    return await _changed(request, change)


@router.delete("/v1/answers/{answer_id}", **described(CuratedReply, 404))
async def retire(request: Request, answer_id: AnswerId) -> Response:
    """Give it no more."""
    return await _changed(request, lambda home, app: curated.retire(home, app, answer_id))


async def _changed(request: Request, change: Callable[..., CuratedAnswer]) -> Response:
    services, visit = services_of(request), visit_of(request)

    def work() -> CuratedAnswer:
        with acting_as(person_name(services.app, visit, "")):
            return change(services.home, services.app)

    try:
        return json_response(_shown(await asyncio.to_thread(work)))
    except UsageError as error:
        raise HttpProblem(404, error.message, code="answer_not_found") from error


def _shown(answer: CuratedAnswer) -> dict[str, object]:
    shown = answer.model_dump(mode="json", exclude={"app", "person"})
    return {**shown, "labels": sorted(answer.labels)}
