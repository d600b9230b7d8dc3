"""The models of an application, asked in their order until one answers."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from llmops.tasks.calls.budget import Budget
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price, price_of
from llmops.tasks.chat.recording import RecordedSpan, Recorder
from llmops.tasks.chat.turn import Usage
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of

SERVED: Final[Mapping[str, object]] = {"timeout": 60, "retries": 2, "patience": 20}
"""Limits of a model that says nothing of them: people wait for the answer, and another model may
give it."""
OFFLINE = "extractive"
KIND: Final = "CHAT_MODEL"
TRACE_PREFIX = "tr-"


class ServedModel(NamedTuple):
    """`offline`: it reads one question and passages, no conversation."""

    llm: Llm
    price: Price | None
    offline: bool

    @property
    def title(self) -> str:
        return OFFLINE if self.offline else self.llm.title


def served(spec: Spec, prices: Mapping[str, Price]) -> ServedModel:
    """A model with the limits of one that people wait for, unless it has its own."""
    options = {**SERVED, **spec.options}
    llm = llm_of(Spec(name=spec.name, options=options))
    return ServedModel(llm, price_of(llm, prices), spec.name == OFFLINE)


@dataclass
class UsageCount:
    """What all calls of one turn have used."""

    usage: Usage = field(default_factory=Usage)

    def add(self, paid: GatewayReply) -> None:
        self.usage = Usage(
            tokens_in=self.usage.tokens_in + paid.reply.tokens_in,
            tokens_out=self.usage.tokens_out + paid.reply.tokens_out,
            cost_usd=self.usage.cost_usd + paid.cost_usd,
        )


class Generated(NamedTuple):
    """A whole text, and who wrote it."""

    reply: Reply
    model: str


class Calling(NamedTuple):
    """In whose turn a model is asked. `pieces`: whether the text is wanted as it is made."""

    recorder: Recorder
    used: UsageCount
    budget: Budget | None
    pieces: bool = False


class ModelChain:
    """A model and its fallbacks."""

    def __init__(self, gateway: Gateway, models: Sequence[ServedModel]) -> None:
        self._gateway, self.models = gateway, tuple(models)

    @property
    def fingerprints(self) -> list[str]:
        return [model.llm.fingerprint() for model in self.models]

    def each(self, more: Sequence[ServedModel] = ()) -> dict[str, "ModelChain"]:
        """These models and others, each by itself, by its title; a second one of the same title has
        a number behind it.
        """
        found: dict[str, ModelChain] = {}
        seen = set[tuple[str, str]]()
        for model in (*self.models, *more):
            print_ = (model.llm.fingerprint(), model.llm.quota)
            if print_ in seen:
                continue
            seen.add(print_)
            same = sum(one.models[0].title == model.title for one in found.values())
            name = f"{model.title} ({same + 1})" if same else model.title
            found[name] = ModelChain(self._gateway, [model])
        return found

    async def generate(
        self, step: str, request_for: Callable[[ServedModel], Request], calling: Calling
    ) -> AsyncGenerator[str | Generated, None]:
        """The text in pieces, or whole, and last who wrote it. Another model is asked where one
        cannot be reached or does not take the request, unless a part of its text was given.

        Raises Unavailable where none answers or a text breaks off, BudgetReached.
        """
        troubles: list[str] = []
        for number, model in enumerate(self.models):
            begun = False
            name = step if not number else f"{step}.{number + 1}"
            parts = self._one(name, model, request_for(model), calling)
            try:
                async with aclosing(parts):
                    async for part in parts:
                        begun = begun or isinstance(part, str)
                        yield part
                return
            except (DocumentError, Unavailable) as error:
                if begun:
                    raise Unavailable(f"the answer broke off: {error}") from error
                troubles.append(f"{model.title}: {error}")
        raise Unavailable("no model answered: " + "; ".join(troubles))

    async def whole(
        self, step: str, request_for: Callable[[ServedModel], Request], calling: Calling
    ) -> Generated:
        """As `generate`, at once."""
        async with aclosing(self.generate(step, request_for, calling)) as parts:
            async for part in parts:
                if isinstance(part, Generated):
                    return part
        raise Unavailable("no model answered")

    async def _one(
        self, step: str, model: ServedModel, request: Request, calling: Calling
    ) -> AsyncGenerator[str | Generated, None]:
        recorder = calling.recorder
        asked = {
            "messages": [
                {"role": message.role, "content": message.content} for message in request.messages
            ],
            **request.parameters,
        }
        with recorder.span(step, KIND, asked) as span:
            parts = self._parts(step, model, request, calling, span)
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, str):
                        yield part
                    else:
                        span.outputs = _completion(part.reply)
                        yield Generated(part.reply, model.title)

    async def _parts(
        self,
        step: str,
        model: ServedModel,
        request: Request,
        calling: Calling,
        span: RecordedSpan,
    ) -> AsyncGenerator[str | GatewayReply, None]:
        trace = calling.recorder.id
        call_id, owner = f"{trace}/{step}", trace.removeprefix(TRACE_PREFIX)

        def paid(reply: GatewayReply) -> None:
            calling.used.add(reply)
            usage = reply.reply
            span.used(model.title, usage.tokens_in, usage.tokens_out, reply.cost_usd)

        if not calling.pieces:
            reply = await self._gateway.ask_anew(
                *(model.llm, model.price, request, call_id),
                owner=owner,
                budget=calling.budget,
                paid=paid,
            )
            if reply.reply.text:
                yield reply.reply.text
            yield reply
            return
        async with aclosing(
            self._gateway.stream(
                *(model.llm, model.price, request, call_id),
                owner=owner,
                budget=calling.budget,
                paid=paid,
            )
        ) as parts:
            async for part in parts:
                yield part


def _completion(reply: Reply) -> dict[str, object]:
    message = {"role": "assistant", "content": reply.text}
    return {"choices": [{"message": message, "finish_reason": reply.finish}]}
