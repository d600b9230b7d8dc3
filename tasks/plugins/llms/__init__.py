"""Language models: messages in, a reply and what it cost out."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Plugin, Spec, digest, name_of

LIMITS = {
    "price_in",
    "price_out",
    "requests_per_minute",
    "tokens_per_minute",
    "timeout",
    "retries",
    "patience",
}
"""Options that no reply depends on."""


class ToolCall(BaseModel):
    """A function that the model wants called; `arguments` is a JSON text, as the model wrote it."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    arguments: str


class Message(BaseModel):
    """One turn of a conversation. `tool_calls` belong to the assistant's turns, `tool_call_id` to a
    tool's answer.
    """

    model_config = ConfigDict(frozen=True)
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Request(BaseModel):
    """What is asked. `parameters` (temperature, max_tokens, top_p, seed, stop) go before the
    model's own options.

    `output`: the JSON schema that the reply has to follow; `tools`: functions in OpenAI's form.
    `repeat` tells equal requests apart that are meant to be answered separately: a service that
    recognises repeated requests answers each of them.
    """

    model_config = ConfigDict(frozen=True)
    messages: tuple[Message, ...] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    output: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    repeat: int = 0


class Reply(BaseModel):
    """What came back. The numbers of tokens are the endpoint's own, 0 where it does not say.

    `latency_ms`: of the attempt that succeeded, without waiting and without failed attempts, which
    `attempts` counts. `asked_at`: when that attempt began, in seconds since the epoch, where the
    reply was stored; 0 where nobody knows.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    latency_ms: float = 0.0
    attempts: int = 1
    asked_at: float = 0.0


class Connection(ABC):
    """An open way to a model: one attempt per call. `Client` adds patience, limits and a circuit
    breaker.
    """

    @abstractmethod
    async def ask(self, request: Request) -> Reply:
        """Raises DocumentError when the model refuses this request, Unavailable when no request
        will succeed (key, model, address), `endpoints.trouble.Busy` when the same one may later."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """The text in pieces, as it is made, and last the whole reply, which says what it used.
        Where a model cannot stream it is one piece.
        """
        reply = await self.ask(request)
        yield reply.text
        yield reply


class Llm(Plugin, ABC):
    """Its fingerprint covers what a reply depends on: a reply is remembered by it and the request,
    and never paid twice.

    `price_in`, `price_out`: US dollars per million tokens; None: the table of prices says it.
    `timeout`: seconds of one attempt. `retries`: further attempts after 408, 409, 425, 5xx and lost
    connections. 429 is waited for, up to `patience`: the seconds that one request may take after
    its first trouble. With `retries: 0` nothing is tried again.
    """

    family: ClassVar[str] = "llms"
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """As many requests start in a minute at most."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """As many tokens are asked and answered in a minute at most."""
    timeout: float = Field(default=120, gt=0)
    retries: int = Field(default=5, ge=0, le=20)
    patience: float = Field(default=600, gt=0)

    def fingerprint(self) -> str:
        """Name, revision and options, without limits and prices."""
        return digest(f"{self.spelling()}/{self.revision}", self.model_dump_json(exclude=LIMITS))

    @property
    def quota(self) -> str:
        """Models of the same quota share limits, pauses and the circuit breaker within a
        process.
        """
        return self.fingerprint()

    @property
    def title(self) -> str:
        """The model's name, as tables of prices and reports use it."""
        return name_of(type(self))

    @property
    def provider(self) -> str:
        """The service that sends the bill, as price lists call it; "" where its address tells."""
        return ""

    @property
    def address(self) -> str:
        """Where it is asked; "" where the plugin knows best."""
        return ""

    @property
    def free(self) -> bool:
        """Whether a call costs nothing, whatever a table of prices says."""
        return False

    @property
    def one_at_a_time(self) -> bool:
        """Whether it runs in this process: such models wait for each other before they are asked,
        and their time counts from then on.
        """
        return False

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a way to the model; leaving the context closes it."""


def llm_of(spec: Spec, where: str = "llm") -> Llm:
    """The model of a nested option. Raises ConfigError with every mistake at `where.option`."""
    try:
        return spec.build(Llm)
    except ValidationError as error:
        raise ConfigError(
            [
                Mistake(
                    one["msg"].removeprefix("Value error, "),
                    where=".".join([where, *map(str, one["loc"])]),
                )
                for one in error.errors(include_url=False)
            ]
        ) from error
    except ConfigError as error:
        raise ConfigError(
            [Mistake(one.message, where=where, hint=one.hint, kind=one.kind) for one in error.found]
        ) from error
