"""One question through the chat, for every route that asks: who asks, the trace, the budget, and
what is counted.
"""

import asyncio
import math
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from llmops.deployments.app.problems import HttpProblem, problem_of
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.access.spending import MonthUsedUp, resets_at
from llmops.tasks.audit import people
from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.plugins.llms import Message
from llmops.tasks.traces.masking import masked_text
from llmops.tasks.traces.trace import TraceRecorder


@dataclass(frozen=True)
class AskedOverHttp:
    """What a client asks. `conversation`: "" for a new one; `user`: as the client calls whoever
    asks, "" where it does not say; `knowledge_base`: None for the first one of the application.
    """

    question: str
    history: tuple[Message, ...] = ()
    conversation: str = ""
    user: str = ""
    knowledge_base: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def person_name(app: str, visit: AppVisit, user: str) -> str:
    """What identifies whoever asks; "" for nobody known."""
    if user:
        return f"{app}/{user}"
    if visit.key_id:
        return f"key/{visit.key_id}"
    return f"{app}/{visit.session.name}" if visit.session else ""


async def person_of(services: Services, visit: AppVisit, user: str) -> str:
    """Their pseudonym; "" for nobody known."""
    name = person_name(services.app, visit, user)
    return await asyncio.to_thread(pseudonym, services, name) if name else ""


def pseudonym(services: Services, name: str) -> str:
    return people.pseudonym(open_ledger(services.home), name)


class Ask:
    """A question under way. Leaving the context ends its trace, whatever became of it."""

    def __init__(self, services: Services, visit: AppVisit, turn: Turn) -> None:
        self._services, self._visit, self.turn = services, visit, turn
        self.recorder = TraceRecorder(
            services.app,
            services.engine.shown(turn).question,
            conversation=turn.conversation,
            person=turn.person,
            key_id=turn.key_id,
            tags={"request": visit.request_id},
        )
        visit.trace_id = self.recorder.id
        self._answered: Answered | None = None
        self._said: list[str] = []

    async def answer(self) -> Answered:
        with self._traced(), budget_told():
            budget = self._budget()
            self._answered = await self._services.engine.answer(self.turn, self.recorder, budget)
            return self._answered

    async def stream(self) -> AsyncGenerator[str | Answered, None]:
        """The pieces, and last the whole. Closing it ends what is being paid for."""
        with self._traced(), budget_told():
            budget = self._budget()
            self._services.traces.begin(self.recorder)
            pieces = self._services.engine.stream(self.turn, self.recorder, budget)
            try:
                async for piece in pieces:
                    if isinstance(piece, Answered):
                        self._answered = piece
                    else:
                        self._said.append(piece)
                    yield piece
            finally:
                if (close := getattr(pieces, "aclose", None)) is not None:
                    await close()

    @contextmanager
    def _traced(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.recorder.tags["problem"] = problem_of(error).code
            raise
        finally:
            self._finish()

    def _budget(self) -> Budget | None:
        budgets, key = self._services.budgets, self._visit.key
        budgets.requested(key)
        return budgets.of(key)

    def _finish(self) -> None:
        answered = self._answered
        if answered is None:
            trace = self.recorder.finish("".join(self._said), "error", "error")
        else:
            self.recorder.tags |= self._tags(answered)
            status = "refused" if answered.finish == "refused" else "ok"
            cited = [each.model_dump(mode="json") for each in answered.citations]
            trace = self.recorder.finish(answered.text, status, answered.finish, cited)
            used = answered.usage
            self._services.metrics.answer(
                answered.finish,
                answered.cached,
                used.tokens_in,
                used.tokens_out,
                used.cost_usd,
            )
        self._services.traces.put(trace)

    def _tags(self, answered: Answered) -> dict[str, str]:
        """What the answer was made with; what does not apply is left out."""
        known = {
            "knowledge_base": answered.knowledge_base,
            "version": str(answered.version or ""),
            "prompt": answered.prompt,
            "model": answered.model,
            "trained_model": answered.trained,
            "cached": "" if answered.cached == "no" else answered.cached,
            "reviewed": answered.reviewed_at.isoformat() if answered.reviewed_at else "",
            "config": self._services.engine.spec.fingerprint[:12],
        }
        return {name: value for name, value in known.items() if value}


async def asked(services: Services, visit: AppVisit, asked: AskedOverHttp) -> Ask:
    """The question, ready to be put. Raises HttpProblem for a knowledge base that is not the
    application's, and for a conversation that is named by a secret.
    """
    turn = Turn(
        question=asked.question,
        history=asked.history,
        conversation=_conversation(asked.conversation),
        person=await person_of(services, visit, asked.user),
        key_id=visit.key_id,
        labels=visit.labels,
        parameters=dict(asked.parameters),
        knowledge_base=known_base(services, asked.knowledge_base),
    )
    return Ask(services, visit, turn)


def _conversation(given: str) -> str:
    """A new one where none is given. Raises HttpProblem for one that holds a secret: ids stand in
    addresses, in the ledger and in traces.
    """
    if masked_text(given) != given:
        raise HttpProblem(
            400,
            "the conversation's id looks like a secret; make one up that is none",
            code="invalid_conversation",
            param="metadata.conversation_id",
        )
    return given or f"conv-{secrets.token_hex(12)}"


def known_base(services: Services, name: str | None) -> str | None:
    """Raises HttpProblem for one that the application does not have: whether others exist, it does
    not say.
    """
    if name is not None and name not in services.config.knowledge_bases:
        bases = ", ".join(services.config.knowledge_bases)
        raise HttpProblem(
            404,
            f"no such knowledge base here; there are: {bases}",
            code="knowledge_base_not_found",
            param="knowledge_base",
        )
    return name


@contextmanager
def budget_told() -> Iterator[None]:
    """That the money of a key, or of the application, is spent, and until when. Clients are told
    not to try again by themselves.
    """
    try:
        yield
    except BudgetReached as error:
        resets = error.resets_at if isinstance(error, MonthUsedUp) else resets_at(now())
        wait = max(1, math.ceil((resets - now()).total_seconds()))
        raise HttpProblem(
            429,
            f"the budget of this month is used up; the next begins at {resets:%Y-%m-%d %H:%M} UTC",
            code="budget_exceeded",
            headers={"retry-after": str(wait), "x-should-retry": "false"},
        ) from error
