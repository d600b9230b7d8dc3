"""From a turn to its answer: condense, retrieve, guard, generate, cite. Every step is a span of the
trace; every paid call is counted.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import NamedTuple, Self

from llmops.tasks.calls.budget import Budget
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.chat.cache import AnswerCache, AnswerScope, NewAnswer, scope_of
from llmops.tasks.chat.citations import citations
from llmops.tasks.chat.condense import SHIPPED, VARIABLES, Condenser
from llmops.tasks.chat.conversations import Conversations
from llmops.tasks.chat.curated import CuratedAnswer, reviewed_at
from llmops.tasks.chat.guards import Guards, Refusal
from llmops.tasks.chat.knowledge import Hit, LiveKnowledge, OpenVersion, QuestionVector
from llmops.tasks.chat.live_models import LiveModels
from llmops.tasks.chat.matching import CuratedMatcher
from llmops.tasks.chat.models import Calling, Generated, ModelChain, ServedModel, UsageCount
from llmops.tasks.chat.personal import MaskedStream
from llmops.tasks.chat.prompt import LivePrompt, filled
from llmops.tasks.chat.recording import Recorder
from llmops.tasks.chat.reranking import ServedReranking
from llmops.tasks.chat.searching import SearchStep, found
from llmops.tasks.chat.spec import AppSpec
from llmops.tasks.chat.supporting import SUPPORT, supporting
from llmops.tasks.chat.turn import Answered, Citation, Finish, Turn
from llmops.tasks.chat.vectors import QuestionVectors, costs
from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.prompts import Resolved
from llmops.tasks.prompts.rendering import numbered

log = logging.getLogger(__name__)
UNPRICED = (
    "the price of %s is not known: whoever has a budget in dollars gets no answer; give price_in "
    "and price_out, or a table of prices"
)
PARAMETERS = (
    *("temperature", "top_p", "max_tokens", "seed", "stop"),
    *("presence_penalty", "frequency_penalty"),
)
"""What a client may set of a model; everything else is the application's."""


class Grounds(NamedTuple):
    """What an answer is made from. `standalone`: the question as it was searched for."""

    turn: Turn
    standalone: str
    history: tuple[Message, ...]
    prompt: Resolved
    opened: OpenVersion
    vector: QuestionVector
    hits: tuple[Hit, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether nothing was said before."""
        return not _talked(self.turn)


class ChatEngine:
    """`async with ChatEngine(spec) as engine`, within one event loop. Raises what is wrong with
    prompts and models when it is entered; knowledge bases are looked at by `knowledge.ready()`.

    `knowledge`: where the application searches already. `choices`: the models that may be tried,
    each by itself, by its name.
    """

    knowledge: LiveKnowledge
    choices: dict[str, ModelChain]

    def __init__(self, spec: AppSpec, knowledge: LiveKnowledge | None = None) -> None:
        self.spec = spec
        self._given, self._stack = knowledge, AsyncExitStack()
        self._guards = Guards(spec.guards)
        self.prompt = LivePrompt(spec.home, spec.prompt, spec.folder)
        self._cache = AnswerCache(spec.home, spec.app, spec.cache)
        self._curated = CuratedMatcher(spec.home, spec.app, spec.curated)
        self._conversations = Conversations(spec.home, spec.app)
        self.live = LiveModels(spec.home, spec.prices)

    async def __aenter__(self) -> Self:
        spec = self.spec
        models = await self.live.started(spec.llms)
        second = await self.live.started([spec.condense.llm] if spec.condense.llm else [])
        asks = LivePrompt(
            *(spec.home, spec.condense.prompt or str(SHIPPED), spec.folder), known=VARIABLES
        )
        await self.prompt.start()
        await asks.start()
        await self._curated.start()
        async with AsyncExitStack() as stack:
            paying = Gateway(spec.home, width=spec.concurrency, payer=Payer("serve", spec.app))
            gateway = await stack.enter_async_context(paying)
            opening = LiveKnowledge(spec.home, spec.knowledge_bases)
            self.knowledge = (
                await stack.enter_async_context(opening) if self._given is None else self._given
            )
            self._stack = stack.pop_all()
        self.vectors, self._models = QuestionVectors(gateway), ModelChain(gateway, models)
        self.rerank = ServedReranking.of(spec, gateway)
        self.choices = self._models.each(await self.live.started(spec.compare.llms))
        if unpriced := self.unpriced:
            log.warning(UNPRICED, ", ".join(unpriced))
        self._condenser = Condenser(
            ModelChain(gateway, second or models), asks, spec.condense.turns
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._conversations.close()
        await self._curated.close()
        await self._stack.aclose()

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models whose price nobody knows: no budget in dollars can be kept with them."""
        models = self._models.models
        return tuple(model.title for model in models if model.price is None and not model.llm.free)

    def shown(self, turn: Turn) -> Turn:
        """The turn as traces may have it, and as it is answered: personal data in the question and
        in what was said before is masked where the config says so.
        """
        return self._guards.shown(turn)

    async def answer(
        self, turn: Turn, recorder: Recorder, budget: Budget | None = None
    ) -> Answered:
        """The whole answer. `budget`: of whoever asks.

        Raises UsageError for a knowledge base that the application does not have, Unavailable where
        no model or no knowledge base can be reached, BudgetReached. A refusal is an answer.
        """
        calling = Calling(recorder, UsageCount(), budget)
        async with aclosing(self._answered(turn, calling)) as parts:
            async for part in parts:
                if isinstance(part, Answered):
                    return part
        raise Unavailable("the answer has no end")

    async def stream(
        self, turn: Turn, recorder: Recorder, budget: Budget | None = None
    ) -> AsyncGenerator[str | Answered, None]:
        """As `answer`: its text in pieces, as they are made, and last the answer. Closing the
        generator ends the paid call. Raises Unavailable also where a text breaks off.
        """
        calling = Calling(recorder, UsageCount(), budget, pieces=True)
        async with aclosing(self._answered(turn, calling)) as parts:
            async for part in parts:
                yield part

    async def _answered(self, turn: Turn, calling: Calling) -> AsyncGenerator[str | Answered, None]:
        trace_id = calling.recorder.id
        if turn.conversation and not _talked(turn):
            history = await self._conversations.history(turn, trace_id)
            turn = turn.model_copy(update={"history": history})
        turn = self.shown(turn)
        async with aclosing(self._steps(turn, calling)) as parts:
            async for part in parts:
                if isinstance(part, Answered) and turn.conversation:
                    self._conversations.said(turn, trace_id, part.text)
                yield part

    async def searched(self, turn: Turn, calling: Calling) -> tuple[Grounds, Refusal | None]:
        """All that comes before an answer is written: guards, the question that stands alone, its
        passages. Answers that are there already are not looked for. Raises as `answer` does.
        """
        grounds, refusal = await self._understood(self.shown(turn), calling)
        return (grounds, refusal) if refusal else await self._searched(grounds, calling)

    async def written(
        self, grounds: Grounds, calling: Calling, models: ModelChain, step: str
    ) -> AsyncGenerator[str | Answered, None]:
        """What these models make of what was found, with the prompt of the grounds: in pieces, and
        last the answer. `step`: the name of its span. Nothing of it is remembered. Raises as
        `stream` does.
        """
        async with aclosing(self._written(grounds, calling, models, step)) as parts:
            async for part in parts:
                yield part

    def refused(self, grounds: Grounds, refusal: Refusal, calling: Calling) -> Answered:
        """The answer where a guard has spoken."""
        return self._refused(grounds, refusal, refusal.reply, calling)

    def passages(self, grounds: Grounds) -> tuple[Citation, ...]:
        """What a model is shown, as it may be shown to whoever asks."""
        return self._citations("", grounds)

    async def _steps(self, turn: Turn, calling: Calling) -> AsyncGenerator[str | Answered, None]:
        recorder = calling.recorder
        grounds, refusal = await self._understood(turn, calling)
        if refusal is None:
            if given := await self._given_again(grounds, calling):
                yield given.text
                yield given
                return
            grounds, refusal = await self._searched(grounds, calling)
        if refusal is not None:
            yield refusal.reply
            yield self.refused(grounds, refusal, calling)
            return
        async with aclosing(self._written(grounds, calling, self._models)) as parts:
            async for part in parts:
                if isinstance(part, Answered):
                    await self._remember(grounds, part, recorder.id)
                yield part

    async def _understood(self, turn: Turn, calling: Calling) -> tuple[Grounds, Refusal | None]:
        """The question as it is searched for, or why it is not answered."""
        prompt, opened = self.prompt.current(), await self.knowledge.pinned(turn.knowledge_base)
        history = self._condenser.latest(turn.history)
        vector = self.vectors.of_question(opened, turn.question, calling)
        grounds = Grounds(turn, turn.question, history, prompt, opened, vector)
        seen = turn.model_copy(update={"history": history})
        if refusal := self._guards.question(seen, calling.recorder):
            return grounds, refusal
        standalone = await self._condenser.standalone(turn.question, history, calling)
        vector = self.vectors.of_question(opened, standalone, calling)
        return grounds._replace(standalone=standalone, vector=vector), None

    async def _given_again(self, grounds: Grounds, calling: Calling) -> Answered | None:
        """What a person wrote for the question, or what was answered to it before. A question that
        leans on others has neither, unless it was condensed.
        """
        if not (grounds.is_first or grounds.history):
            return None
        labels, recorder = self._labels(grounds), calling.recorder
        match = await self._curated.match(
            *(grounds.standalone, labels, grounds.opened, grounds.vector)
        )
        if match:
            with recorder.span("curated", "CHAIN", {"question": grounds.standalone}) as span:
                span.outputs = {"id": match.answer.id, "score": match.score}
            return await self._by_a_person(grounds, match.answer, calling)
        if not (self._cache.on and grounds.is_first):
            return None
        with recorder.span("cache", "CHAIN", {"question": grounds.standalone}) as span:
            scope = self._scope(grounds)
            await self._cache.moved(grounds.opened.name, scope.ground)
            known = await self._cache.known(scope, grounds.standalone, grounds.vector)
            span.outputs = {"hit": known.cached if known else "no"}
            return known and known.model_copy(update={"usage": calling.used.usage})

    async def _by_a_person(
        self, grounds: Grounds, answer: CuratedAnswer, calling: Calling
    ) -> Answered:
        """With the passages that support it: it is given without them where the search fails."""
        try:
            hits = supporting(answer.answer, await self._hits(grounds, calling, SUPPORT))
        except LlmopsError as error:
            log.warning("passages for the curated answer %s: %s", answer.id, error)
            hits = ()
        update = {
            "cached": "curated",
            "citations": self._citations("", grounds._replace(hits=hits)),
            "reviewed_at": await asyncio.to_thread(reviewed_at, self.spec.home, answer),
        }
        return self._answer(grounds, answer.answer, calling).model_copy(update=update)

    async def _remember(self, grounds: Grounds, answered: Answered, trace_id: str) -> None:
        if not (self._cache.on and grounds.is_first):
            return
        vector = await grounds.vector() if self._cache.settings.mode == "semantic" else None
        mine = (trace_id, grounds.turn.person)
        new = NewAnswer(
            grounds.standalone, answered, *mine, vector, erasures=grounds.opened.erasures
        )
        await self._cache.keep(self._scope(grounds), new)

    def _scope(self, grounds: Grounds) -> AnswerScope:
        opened, turn = grounds.opened, grounds.turn
        parameters = {name: turn.parameters.get(name) for name in PARAMETERS}
        return scope_of(
            [
                *(opened.name, opened.number, opened.erasures, *opened.ranking),
                *(grounds.prompt.uri, grounds.prompt.prompt.sha256),
                *(self.spec.fingerprint, self._models.fingerprints),
            ],
            [turn.key_id, sorted(self._labels(grounds)), parameters],
        )

    def _labels(self, grounds: Grounds) -> frozenset[str]:
        return grounds.turn.labels | set(self.spec.retrieve.labels)

    async def _searched(self, grounds: Grounds, calling: Calling) -> tuple[Grounds, Refusal | None]:
        """With the passages that support an answer, or why there is none."""
        hits = await self._hits(grounds, calling, "retrieve")
        hits, refusal = self._guards.support(hits, self.spec.retrieve.min_score, calling.recorder)
        return grounds._replace(hits=hits), refusal

    async def _hits(self, grounds: Grounds, calling: Calling, step: str) -> tuple[Hit, ...]:
        """What a search finds for whoever asks. What there is an answer to pays for no vector and
        no reranking.
        """
        settings, opened = self.spec.retrieve, grounds.opened
        labels, vector, mode = self._labels(grounds), None, settings.mode
        if step == SUPPORT and costs(opened) and grounds.vector.made is None:
            mode = "text"
        if mode != "text":
            vector = await grounds.vector() if costs(opened) else grounds.vector.made
        order = self.rerank.asked_by(calling) if self.rerank and step != SUPPORT else None
        asked = (grounds.standalone, settings.k, mode, settings.where, labels, vector, order)
        recorder = calling.recorder
        hits = await found(opened, SearchStep(*asked), recorder, step)
        return await self._guards.passages(hits, recorder)

    async def _written(
        self, grounds: Grounds, calling: Calling, models: ModelChain, step: str = "generate"
    ) -> AsyncGenerator[str | Answered, None]:
        """What a model makes of the passages."""
        mask = MaskedStream() if self.spec.guards.pii_out == "mask" else None
        given: list[str] = []
        generated: Generated | None = None
        parts = models.generate(step, lambda model: self.request(grounds, model), calling)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Generated):
                    generated = part
                    continue
                piece = mask.push(part) if mask else part
                if piece := piece if given else piece.lstrip():
                    given.append(piece)
                    yield piece
        rest = mask.end() if mask else ""
        if rest := rest if given else rest.lstrip():
            given.append(rest)
            yield rest
        text = "".join(given)
        if generated is None:
            raise Unavailable("the model gave no end of its text")
        if refusal := self._guards.says_nothing(text):
            if refusal.reply:
                yield refusal.reply
            text += refusal.reply
            yield self._refused(grounds, refusal, text, calling, generated.model)
            return
        finish: Finish = "length" if generated.reply.finish == "length" else "stop"
        yield self._answer(grounds, text, calling).model_copy(
            update={
                "finish": finish,
                "model": generated.model,
                "trained": generated.trained,
                "citations": self._citations(text, grounds),
            }
        )

    def request(self, grounds: Grounds, model: ServedModel) -> Request:
        """What a model is asked. An offline one gets the question that stands alone, and no
        conversation."""
        passages = numbered((hit.title, hit.uri, hit.text) for hit in grounds.hits)
        question = grounds.standalone if model.offline else grounds.turn.question
        history = () if model.offline else grounds.history
        request = filled(grounds.prompt.prompt, question, passages, history)
        parameters = dict(request.parameters)
        for name in PARAMETERS:
            if (value := grounds.turn.parameters.get(name)) is not None:
                parameters[name] = value
        if (most := request.parameters.get("max_tokens")) and "max_tokens" in parameters:
            parameters["max_tokens"] = min(most, parameters["max_tokens"])
        return request.model_copy(update={"parameters": parameters})

    def _citations(self, text: str, grounds: Grounds) -> tuple[Citation, ...]:
        found = citations(text, grounds.hits, grounds.opened)
        if self.spec.guards.pii_out != "mask":
            return found
        return tuple(self._guards.without_personal_data(each) for each in found)

    def _answer(self, grounds: Grounds, text: str, calling: Calling) -> Answered:
        return Answered(
            text=text,
            usage=calling.used.usage,
            prompt=grounds.prompt.uri,
            knowledge_base=grounds.opened.name,
            version=grounds.opened.number,
        )

    def _refused(
        self, grounds: Grounds, refusal: Refusal, text: str, calling: Calling, model: str = ""
    ) -> Answered:
        update = {"finish": "refused", "refusal": refusal.reason, "model": model}
        return self._answer(grounds, text, calling).model_copy(update=update)


def _talked(turn: Turn) -> bool:
    """Whether the client sent what was said before."""
    return any(message.role in ("user", "assistant") for message in turn.history)
