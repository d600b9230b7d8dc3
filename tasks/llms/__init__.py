"""Language models: messages in, a reply and what it cost out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import ConfigError, Mistake
from tasks.plugins import Plugin, Spec


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True)
    role: Literal["system", "user", "assistant"]
    content: str


class Reply(BaseModel):
    """What came back. The numbers of tokens are the endpoint's own, 0 where it does not say."""

    model_config = ConfigDict(frozen=True)
    text: str
    tokens_in: int = 0
    tokens_out: int = 0


class Llm(Plugin, ABC):
    """Its fingerprint covers what a reply depends on: a reply is remembered by it and the messages, and never asked for twice.

    `price_in`, `price_out`: US dollars per million tokens, for the account of a run.
    """

    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)

    @abstractmethod
    def complete(self, messages: Sequence[Message], *, structured: bool = False) -> Reply:
        """The next turn. `structured` asks for a JSON object, which the messages describe.

        Raises Unavailable when the model cannot be reached or refuses the key, DocumentError when it refuses these messages.
        """

    def cost(self, reply: Reply) -> float:
        """US dollars."""
        return (reply.tokens_in * self.price_in + reply.tokens_out * self.price_out) / 1e6


def llm_of(spec: Spec, where: str = "llm") -> Llm:
    """The model of a nested option. Raises ConfigError with every mistake at `where.option`."""
    try:
        return spec.build(Llm)
    except ValidationError as error:
        raise ConfigError([Mistake(one["msg"].removeprefix("Value error, "), where=".".join([where, *map(str, one["loc"])]))
                           for one in error.errors(include_url=False)]) from error
    except ConfigError as error:
        raise ConfigError([Mistake(one.message, where=where, hint=one.hint, kind=one.kind) for one in error.found]) from error
