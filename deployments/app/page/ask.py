"""`/` and `/ask`: questions, answers with their sources, and what people say of them."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from markupsafe import Markup
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from llmops.deployments.app.asking import AskedOverHttp, asked, person_of
from llmops.deployments.app.bases import published
from llmops.deployments.app.chat_wire import CONVERSATION, is_conversation
from llmops.deployments.app.forgetting import forget_conversation
from llmops.deployments.app.page import turns
from llmops.deployments.app.page.markdown import claims, render
from llmops.deployments.app.page.passage_text import shown_passage
from llmops.deployments.app.page.running import RunningAnswer, running_of
from llmops.deployments.app.page.shell import form_of, fragment, page, rendered, tabs_of
from llmops.deployments.app.page.turns import ShownTurn, running_turn
from llmops.deployments.app.problems import HttpProblem, not_found
from llmops.deployments.app.reviewing import asked_for
from llmops.deployments.app.services import services_of
from llmops.deployments.app.streams import EventStream
from llmops.deployments.app.visit import visit_of
from llmops.tasks.access import spending
from llmops.tasks.chat.highlights import highlighted
from llmops.tasks.chat.turn import Citation
from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.knowledge.readable import readable
from llmops.tasks.traces.feedback import Feedback

log = logging.getLogger("llmops.app")
LISTED = 40
LONGEST = 8_000
WITHOUT = "up_without"
"""Good, and the better answer that was typed is not meant."""
router = APIRouter(include_in_schema=False)
ConversationId = Annotated[str, Path(pattern=CONVERSATION)]
TraceId = Annotated[str, Path(pattern=r"^tr-[0-9a-f]{32}$")]


@router.get("/")
async def start(request: Request) -> Response:
    """A new conversation; whoever may not ask is led to what they may do."""
    visit = visit_of(request)
    if visit.may("ask"):
        return await _page(request)
    if not (tabs := tabs_of(visit)):
        raise HttpProblem(403, "this key opens no page", code="insufficient_scope")
    return RedirectResponse(tabs[0].path, 303)


@router.get("/ask/c/{conversation}")
async def again(request: Request, conversation: ConversationId) -> Response:
    """A conversation that goes on."""
    return await _page(request, conversation)


@router.get("/ask/c/{conversation}/turns")
async def said(request: Request, conversation: ConversationId) -> Response:
    """What was said in it."""
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, "")
    found = await asyncio.to_thread(
        turns.conversation, services, running_of(request), visit, person, conversation
    )
    return fragment(request, "ask/turns.html", turns=found, bases=await _bases(request))


@router.post("/ask/c/{conversation}/delete")
async def forget(request: Request, conversation: ConversationId) -> Response:
    """Delete a conversation of one's own, everywhere, and what is being answered in it."""
    services, visit = services_of(request), visit_of(request)
    shown = (await form_of(request)).get("conversation", "")
    person, running = await person_of(services, visit, ""), running_of(request)
    for answer in running.of_conversation(conversation, person, visit.key_id):
        await running.stop(answer)
        await asyncio.to_thread(services.traces.enter, answer.trace_id)
    work = partial(forget_conversation, services, visit, conversation, person)
    done = await asyncio.to_thread(work)
    stays = is_conversation(shown) and shown != conversation
    to = f"{f'/ask/c/{shown}' if stays else '/'}{'' if done.ok else '?left'}"
    return Response(status_code=204, headers={"hx-redirect": to})


@router.get("/ask/list")
async def listed(
    request: Request, conversation: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """One's own conversations. `conversation`: the one that is open."""
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, "")
    found = await asyncio.to_thread(turns.conversations, services, visit, person, LISTED)
    return fragment(request, "ask/list.html", conversations=found, now=conversation)


@router.get("/ask/budget")
async def budget(request: Request) -> Response:
    return fragment(request, "ask/budget.html", remaining=await _remaining(request))


@router.post("/ask/questions")
async def ask(request: Request) -> Response:
    """Begin an answer. It is written whether somebody looks or not."""
    services, visit, fields = services_of(request), visit_of(request), await form_of(request)
    question = fields.get("question", "").strip()
    conversation = fields.get("conversation", "")
    if not question or len(question) > LONGEST or not is_conversation(conversation or "new"):
        raise HttpProblem(400, "a question is wanted", code="invalid_value", param="question")
    if not (bases := await _bases(request)):
        told = "nothing of any knowledge base has been published yet"
        raise HttpProblem(503, told, code="nothing_published")
    name = conversation or f"conv-{secrets.token_hex(12)}"
    wanted = AskedOverHttp(
        question=question,
        conversation=name,
        knowledge_base=fields.get("knowledge_base") or bases[0],
    )
    begun = await asked(services, visit, wanted)
    answer = running_of(request).start(begun, visit)
    headers = {} if conversation else {"hx-push-url": f"/ask/c/{name}"}
    return fragment(
        request,
        "ask/asked.html",
        headers=headers,
        turn=running_turn(answer),
        conversation=name,
        bases=bases,
    )


@router.get("/ask/turns/{trace_id}")
async def turn(request: Request, trace_id: TraceId) -> Response:
    found = await _turn(request, trace_id)
    return fragment(request, "ask/turn.html", turn=found, bases=await _bases(request))


@router.get("/ask/turns/{trace_id}/events")
async def events(request: Request, trace_id: TraceId) -> Response:
    """The answer as it grows: `text` with the blocks that have changed, then `done` with all."""
    answer = await _running(request, trace_id)
    services, visit = services_of(request), visit_of(request)
    return EventStream(
        _growing(request, answer),
        services.streams,
        services.config.limits.seconds,
        visit.request_id,
    )


@router.post("/ask/turns/{trace_id}/stop")
async def stop(request: Request, trace_id: TraceId) -> Response:
    """End the paid call. What was said so far stays."""
    answer = await _running(request, trace_id)
    await running_of(request).stop(answer)
    found = await _turn(request, trace_id)
    return fragment(request, "ask/turn.html", turn=found, bases=await _bases(request))


@router.get("/ask/turns/{trace_id}/passages/{number}")
async def passage(
    request: Request, trace_id: TraceId, number: int, mark: int | None = None
) -> Response:
    """A passage that the answer rests on, with the sentences that say it: at one mark, or at all.
    It is what the model was shown, whatever was published since, for as long as the document is
    open to whoever asks.
    """
    shown = await _turn(request, trace_id)
    found = turns.passage(shown, number)
    services, visit = services_of(request), visit_of(request)
    labels = visit.labels | set(services.config.retrieve.labels)
    may = partial(readable, services.home, found.knowledge_base, found.doc_id, labels)
    if not await asyncio.to_thread(may):
        raise HttpProblem(404, "this passage is closed", code="passage_closed")
    told = claims(shown.text, number, mark) or [shown.text]
    text = shown_passage(found.text, highlighted(told, found.text))
    answer = fragment(request, "ask/passage.html", turn=shown, passage=found, text=text)
    if visit.may("feedback") and found.chunk_id:
        answer.background = BackgroundTask(_opened, request, trace_id, found)  # once it is shown
    return answer


async def _opened(request: Request, trace_id: str, found: Citation) -> None:
    """Note it, where that can be done: nobody waits for it, and nothing is told where it fails."""
    services, visit = services_of(request), visit_of(request)
    try:
        person = await person_of(services, visit, "")
        note = services.traces.opened
        await asyncio.to_thread(note, trace_id, person, found.chunk_id, found.version)
    except LlmopsError as error:
        log.warning(
            "request %s: a source that was opened is not noted: %s", visit.request_id, error
        )


@router.post("/ask/turns/{trace_id}/feedback")
async def rate(request: Request, trace_id: TraceId) -> Response:
    """Thumbs, a comment, a better answer; no rating withdraws all of it."""
    services, visit, fields = services_of(request), visit_of(request), await form_of(request)
    if not visit.may("feedback"):
        raise HttpProblem(403, "this key gives no feedback", code="insufficient_scope")
    shown = await _turn(request, trace_id)
    opinion = _opinion(fields, shown)
    if opinion.rating == "up" and opinion.correction:
        return fragment(request, "ask/feedback.html", turn=shown, unsure=opinion)
    person = await person_of(services, visit, "")
    keep = partial(services.traces.feedback, trace_id, person, opinion, visit.key_id)
    try:
        await asyncio.to_thread(keep)
    except UsageError as error:
        raise HttpProblem(400, error.message, code="invalid_value") from error
    kept = opinion if opinion.rating else Feedback(None)
    return fragment(
        request,
        "ask/feedback.html",
        turn=shown._replace(said=kept),
        saved="saves" in fields,
        proposed=bool(kept.correction) and not (visit.key and visit.may("review")),
    )


@router.post("/ask/turns/{trace_id}/person")
async def person(request: Request, trace_id: TraceId) -> Response:
    """A person is wanted: the answer goes to the head of the review queue."""
    services, visit, fields = services_of(request), visit_of(request), await form_of(request)
    if not visit.may("feedback"):
        raise HttpProblem(403, "this key gives no feedback", code="insufficient_scope")
    await _turn(request, trace_id)
    who = await person_of(services, visit, "")
    note = fields.get("note", "").strip()
    wants = partial(asked_for, services, trace_id, who, note)
    try:
        await asyncio.to_thread(wants)
    except UsageError as error:
        raise HttpProblem(400, error.message, code="invalid_value") from error
    return fragment(request, "ask/person.html", turn=await _turn(request, trace_id))


def _opinion(fields: Mapping[str, str], shown: ShownTurn) -> Feedback:
    """What the form says. The answer itself is no better one; `without` leaves the better one
    out.
    """
    rating, better = fields.get("rating") or None, fields.get("correction", "")
    better = better.replace("\r\n", "\n").strip()
    if rating == WITHOUT or better == shown.text.strip():
        better = ""
    rating = "up" if rating == WITHOUT else rating
    return Feedback(rating, fields.get("comment", "").strip(), better)


async def _page(request: Request, conversation: str = "") -> Response:
    services = services_of(request)
    return page(
        request,
        "ask/page.html",
        "ask",
        conversation=conversation,
        left="left" in request.query_params,
        bases=await _bases(request),
        remaining=await _remaining(request),
        longest=min(LONGEST, services.config.guards.max_question),
    )


async def _bases(request: Request) -> tuple[str, ...]:
    """The knowledge bases that can be asked, the one that is asked by itself first."""
    services = services_of(request)
    return await asyncio.to_thread(published, services.config, services.home)


async def _remaining(request: Request) -> spending.Remaining | None:
    """What is left to the key in its month; None where it has no cap."""
    key = visit_of(request).key
    if key is None or key.usd_per_month is None:
        return None
    return await asyncio.to_thread(spending.monthly, services_of(request).home, key)


async def _turn(request: Request, trace_id: str) -> ShownTurn:
    services, visit = services_of(request), visit_of(request)
    person = await person_of(services, visit, "")
    return await asyncio.to_thread(
        turns.turn, services, running_of(request), visit, person, trace_id
    )


async def _running(request: Request, trace_id: str) -> RunningAnswer:
    """Raises HttpProblem where it is somebody else's, or nothing is known of it any more."""
    services, visit = services_of(request), visit_of(request)
    answer = running_of(request).of(trace_id)
    person = await person_of(services, visit, "")
    if answer is None or not answer.is_of(person, visit.key_id):
        raise not_found()
    return answer


async def _growing(request: Request, answer: RunningAnswer) -> AsyncIterator[bytes]:
    before: tuple[Markup, ...] = ()
    async for text in answer.watched():
        blocks = render(text).blocks
        same = 0
        while same < min(len(before), len(blocks)) and before[same] == blocks[same]:
            same += 1
        yield _event("text", {"from": same, "blocks": [str(each) for each in blocks[same:]]})
        before = blocks
    turn, bases = running_turn(answer), await _bases(request)
    html = rendered(request, "ask/turn.html", turn=turn, bases=bases)
    yield _event("done", {"html": html})


def _event(name: str, content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode("utf-8", "replace")
