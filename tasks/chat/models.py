"""The models of an application, asked in their order until one answers."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from llmops.tasks.calls.budget import Budget
from llmops.tasks.calls.gateway import Gateway, GatewayReply
from llmops.tasks.calls.prices import Price
from llmops.tasks.chat.recording import RecordedSpan, Recorder
from llmops.tasks.chat.turn import Usage
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins.llms import Llm, Reply, Request
from llmops.tasks.traces.names import TRAINED

SERVED: Final[Mapping[str, object]] = {"timeout": 60, "retries": 2, "patience": 20}
"""Limits of a model that says nothing of them: people wait for the answer, and another model may
give it."""
OFFLINE = "extractive"
KIND: Final = "CHAT_MODEL"
TRACE_PREFIX = "tr-"


class ServedModel(NamedTuple):
    """`offline`: it reads one question and passages, no conversation. `trained`: its version in
    the registry of trained models, as in models:/NAME/3; "" where it is none of them.
    """

    llm: Llm
    price: Price | None
    offline: bool
    trained: str = ""

    def current(self) -> "ServedModel":
        """Itself."""
        return self

    @property
    def name(self) -> str:
        """What it is chosen by."""
        return self.title

    @property
    def title(self) -> str:
        return OFFLINE if self.offline else self.llm.title


class FollowedModel(Protocol):
    """A model that may become another version of itself while the application runs."""

    @property
    def name(self) -> str: ...

    def current(self) -> ServedModel:
        """Which it is now, at once."""


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
    """A whole text, and who wrote it; `trained`: its version, where it is a trained model."""

    reply: Reply
    model: str
    trained: str = ""


class Calling(NamedTuple):
    """In whose turn a model is asked. `pieces`: whether the text is wanted as it is made."""

    recorder: Recorder
    used: UsageCount
    budget: Budget | None
    pieces: bool = False


class ModelChain:
    """A model and its fallbacks."""

    def __init__(self, gateway: Gateway, models: Sequence[FollowedModel]) -> None:
        self._gateway, self._followed = gateway, tuple(models)

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """As they are now."""
        return tuple(each.current() for each in self._followed)

    @property
    def fingerprints(self) -> list[str]:
        return [model.llm.fingerprint() for model in self.models]

    def each(self, more: Sequence[FollowedModel] = ()) -> dict[str, "ModelChain"]:
        """These models and others, each by itself, by its name; a second one of the same name has
        a number behind it.
        """
        found: dict[str, ModelChain] = {}
        seen = set[tuple[str, str]]()
        for model in (*self._followed, *more):
            print_ = (model.current().llm.fingerprint(), model.current().llm.quota)
            if print_ in seen:
                continue
            seen.add(print_)
            same = sum(one._followed[0].name == model.name for one in found.values())
            name = f"{model.name} ({same + 1})" if same else model.name
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
            span.attributes |= {TRAINED: model.trained} if model.trained else {}
            parts = self._parts(step, model, request, calling, span)
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, str):
                        yield part
                    else:
                        span.outputs = _completion(part.reply)
                        yield Generated(part.reply, model.title, model.trained)

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
