"""`/v1/conversations` and `/v1/users`: what was said, for whoever said it, and its deletion."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from llmops.deployments.app.asking import person_name, person_of
from llmops.deployments.app.chat_wire import CONVERSATION
from llmops.deployments.app.documents import described
from llmops.deployments.app.forgetting import forget_conversation, own_conversation
from llmops.deployments.app.problems import json_response
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.traces import deletion
from llmops.tasks.traces.deletion import Deleted
from llmops.tasks.traces.reading import conversation as read_conversation

router = APIRouter(tags=["conversations"])
ConversationId = Annotated[str, Path(pattern=CONVERSATION)]
UserName = Annotated[str, Query(max_length=200, description="As the questions named them.")]


class SaidTurn(BaseModel):
    """A question and its answer; `trace_id` is what feedback names."""

    trace_id: str
    question: str
    answer: str
    status: str
    at: datetime


class ConversationReply(BaseModel):
    """Oldest first. Where traces keep no content, question and answer are empty."""

    conversation_id: str
    turns: list[SaidTurn]


class DeletionReply(BaseModel):
    """How much was deleted where. `unreached`: what could not be done now, and is by the same
    request again; `remarks`: what is left to others, such as backups.
    """

    places: dict[str, int]
    unreached: list[str]
    remarks: list[str]


@router.get("/v1/conversations/{conversation_id}", **described(ConversationReply, 404, 504))
async def conversation(
    request: Request, conversation_id: ConversationId, user: UserName = ""
) -> Response:
    """What was said in a conversation, to the same person under the same key alone: to everybody
    else it is not there.
    """
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, user)
    turns = await asyncio.to_thread(_turns, services, visit, conversation_id, person)
    said = [turn.model_dump(mode="json") for turn in turns]
    return json_response({"conversation_id": conversation_id, "turns": said})


@router.delete("/v1/conversations/{conversation_id}", **described(DeletionReply, 404, 504))
async def forget(
    request: Request, conversation_id: ConversationId, user: UserName = ""
) -> Response:
    """Delete what was said in a conversation of one's own, everywhere: the reply names each
    place.
    """
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, user)
    done = await asyncio.to_thread(
        forget_conversation, services, visit, conversation_id, person, user
    )
    return json_response(done.model_dump(mode="json"))


@router.delete("/v1/users/{user:path}", **described(DeletionReply, 504))
async def forget_user(
    request: Request, user: Annotated[str, Path(min_length=1, max_length=200)]
) -> Response:
    """Delete everything that a user of this application has said, everywhere. Wants the key of an
    operator. A user whom nobody knows is deleted too: nothing is left of them.
    """
    services, visit = services_of(request), visit_of(request)

    def work() -> Deleted:
        with acting_as(person_name(services.app, visit, "")):
            return deletion.delete_person(services.home, f"{services.app}/{user}")

    return json_response((await asyncio.to_thread(work)).model_dump(mode="json"))


def _turns(services: Services, visit: AppVisit, name: str, person: str) -> list[SaidTurn]:
    own_conversation(services, visit, name, person)
    found = read_conversation(services.home, services.app, name, person)
    return [SaidTurn.model_validate(turn.model_dump()) for turn in found]
