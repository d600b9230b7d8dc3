"""`/v1/chat/completions` and `/v1/models`, as OpenAI's clients know them."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from llmops.deployments.app import chat_wire
from llmops.deployments.app.asking import Ask, AskedOverHttp, asked
from llmops.deployments.app.chat_wire import ChatReply, ChatRequest, Chunks
from llmops.deployments.app.documents import ASKING, described
from llmops.deployments.app.problems import HttpProblem, json_response
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.streams import LAST, EventStream, event, while_there
from llmops.deployments.app.visit import AppVisit, noted, visit_of
from llmops.tasks.chat.turn import Answered

router = APIRouter(tags=["chat"])
CONVERSATION = "x-conversation-id"
OPENED_AT = 0


class Model(BaseModel):
    """A name that a request's `model` may have."""

    id: str
    object: str
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: str
    data: list[Model]


@router.get("/v1/models", **described(ModelList))
async def models(request: Request) -> Response:
    """The names that a request may give as its model: the application, and with it one of its
    knowledge bases.
    """
    names = names_of(services_of(request))
    data = [
        {"id": name, "object": "model", "created": OPENED_AT, "owned_by": "llmops"}
        for name in names
    ]
    return json_response({"object": "list", "data": data})


@router.get("/v1/models/{model:path}", **described(Model, 404))
async def model(request: Request, model: str) -> Response:
    """One of these names."""
    name, _ = chosen(services_of(request), model)
    return json_response(
        {"id": name, "object": "model", "created": OPENED_AT, "owned_by": "llmops"}
    )


@router.post("/v1/chat/completions", **described(ChatReply, *ASKING, streams=True))
async def chat(request: Request, body: ChatRequest) -> Response:
    """Answer the last message from the documents. With `stream`, server-sent events: chunks as
    OpenAI's, the last one with citations and the trace's id.
    """
    services, visit = services_of(request), visit_of(request)
    body.check()
    name, base = chosen(services, body.model)
    ask = await asked(
        services,
        visit,
        AskedOverHttp(
            question=body.question,
            history=body.history,
            conversation=_conversation(request, body),
            user=body.user or "",
            knowledge_base=body.knowledge_base or base,
            parameters=body.parameters,
        ),
    )
    if not body.stream:
        answered = await while_there(request.receive, ask.answer())
        told = chat_wire.reply(answered, ask.recorder.id, ask.turn.conversation, name)
        return json_response(told)
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    chunks = Chunks(ask.recorder.id, ask.turn.conversation, name, with_usage)
    return await _streamed(request, services, ask, chunks)


async def _streamed(request: Request, services: Services, ask: Ask, chunks: Chunks) -> Response:
    """The stream, once its first piece is there: what fails before is told with a status."""
    pieces = ask.stream()
    first = await while_there(request.receive, _next(pieces))
    visit = visit_of(request)
    return EventStream(
        _events(first, pieces, chunks, visit),
        services.streams,
        services.config.limits.seconds,
        visit.request_id,
    )


async def _next(pieces: AsyncIterator[str | Answered]) -> str | Answered:
    return await anext(pieces)


async def _events(
    first: str | Answered, pieces: AsyncIterator[str | Answered], chunks: Chunks, visit: AppVisit
) -> AsyncIterator[bytes]:
    try:
        yield event(chunks.first())
        piece: str | Answered | None = first
        while piece is not None:
            if isinstance(piece, Answered):
                for chunk in chunks.last(piece):
                    yield event(chunk)
            elif piece:
                yield event(chunks.piece(piece))
            piece = await anext(pieces, None)
    except Exception as error:  # noqa: BLE001 - whatever it is: told, and noted
        yield event(noted(error, visit).public(visit.request_id))
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
    yield LAST


def names_of(services: Services) -> list[str]:
    bases = services.config.knowledge_bases
    more = [f"{services.app}/{base}" for base in bases] if len(bases) > 1 else []
    return [services.app, *more]


def chosen(services: Services, model: str) -> tuple[str, str | None]:
    """The name, and the knowledge base that it means. Raises HttpProblem for another name."""
    if model not in names_of(services):
        known = ", ".join(names_of(services))
        told = f"no such model; there are: {known}"
        raise HttpProblem(404, told, code="model_not_found", param="model")
    return model, model.partition("/")[2] or None


def _conversation(request: Request, body: ChatRequest) -> str:
    if body.metadata and body.metadata.conversation_id:
        return body.metadata.conversation_id
    given = request.headers.get(CONVERSATION, "")
    if given and not chat_wire.is_conversation(given):
        told = "letters, digits and . _ : -, at most 64"
        raise HttpProblem(400, f"{CONVERSATION}: {told}", code="invalid_value", param=CONVERSATION)
    return given
