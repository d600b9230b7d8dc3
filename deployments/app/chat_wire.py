"""Chat completions as OpenAI's clients write and read them, and what is ours beside it."""

import re
import time
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.deployments.app.problems import HttpProblem
from llmops.tasks.chat.turn import Answered, Citation
from llmops.tasks.plugins.llms import Message

PASSED_ON = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop"),
    *("presence_penalty", "frequency_penalty"),
)
"""Parameters that reach the model."""
UNSUPPORTED = (
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "audio",
    "logprobs",
    "prediction",
)
CONVERSATION = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
MOST_MESSAGES = 200
Text = Annotated[str, Field(max_length=1_000_000)]


class TextPart(BaseModel):
    """Of a message that comes in parts; other kinds than text are not understood."""

    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    """`system` and `developer` messages are passed over: the application's own prompt holds."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatMetadata(BaseModel):
    """Anything may stand here; one key is ours."""

    model_config = ConfigDict(extra="allow")
    conversation_id: str | None = Field(default=None, pattern=CONVERSATION)


class ChatRequest(BaseModel):
    """Keys that nobody knows are passed over, as other servers do; those that ask for something
    that cannot be done here are refused.
    """

    model_config = ConfigDict(extra="allow")
    model: str = Field(max_length=200)
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = Field(default=None, max_length=500)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    user: str | None = Field(default=None, max_length=200)
    metadata: ChatMetadata | None = None
    knowledge_base: str | None = Field(default=None, max_length=63)

    @property
    def parameters(self) -> dict[str, object]:
        found = {name: value for name in PASSED_ON if (value := getattr(self, name)) is not None}
        if "max_completion_tokens" in found:
            found["max_tokens"] = found.pop("max_completion_tokens")
        return found

    def check(self) -> None:
        """Raises HttpProblem for what cannot be done here, and for a last message that asks
        nothing.
        """
        extra = self.model_extra or {}
        if self.n not in (None, 1):
            raise _unsupported("n", "one answer is given")
        for name in UNSUPPORTED:
            if extra.get(name) not in (None, [], {}, False, "none", "auto"):
                raise _unsupported(name, "this application does not do that")
        wanted = extra.get("response_format")
        if wanted not in (None, {}) and (
            not isinstance(wanted, dict) or wanted.get("type") != "text"
        ):
            raise _unsupported("response_format", "answers are text")
        last = self.messages[-1]
        if last.role != "user" or not last.text.strip():
            raise HttpProblem(
                400,
                "the last message has to be the user's, with some text",
                code="invalid_value",
                param="messages",
            )

    @property
    def question(self) -> str:
        return self.messages[-1].text

    @property
    def history(self) -> tuple[Message, ...]:
        return tuple(
            Message(role=each.role, content=each.text)
            for each in self.messages[:-1]
            if each.role in ("user", "assistant")
        )


def _unsupported(param: str, why: str) -> HttpProblem:
    return HttpProblem(400, f"{param}: {why}", code="unsupported_parameter", param=param)


class ChoiceMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class ChatChoice(BaseModel):
    index: int = 0
    message: ChoiceMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class TokenUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatReply(BaseModel):
    """The last eight keys are ours. `refusal`: why nothing was answered; `cached`: no, exact,
    semantic or curated.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage
    citations: list[Citation]
    trace_id: str
    conversation_id: str
    knowledge_base: str
    version: int
    refusal: str | None
    cached: str
    cost_usd: float


def is_conversation(text: str) -> bool:
    return re.fullmatch(CONVERSATION.strip("^$"), text) is not None


def usage(answered: Answered) -> dict[str, int]:
    tokens_in, tokens_out = answered.usage.tokens_in, answered.usage.tokens_out
    total = tokens_in + tokens_out
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": total}


def ours(answered: Answered, trace_id: str, conversation: str) -> dict[str, object]:
    """What a reply says beside what OpenAI's says."""
    return {
        "citations": [each.model_dump(mode="json") for each in answered.citations],
        "trace_id": trace_id,
        "conversation_id": conversation,
        "knowledge_base": answered.knowledge_base,
        "version": answered.version,
        "refusal": answered.refusal,
        "cached": answered.cached,
        "cost_usd": answered.usage.cost_usd,
    }


def finish_reason(answered: Answered) -> str:
    return "length" if answered.finish == "length" else "stop"


def head(kind: str, trace_id: str, model: str, created: int | None = None) -> dict[str, object]:
    when = int(time.time()) if created is None else created
    name = f"chatcmpl-{trace_id.removeprefix('tr-')}"
    return {"id": name, "object": kind, "created": when, "model": model}


def reply(answered: Answered, trace_id: str, conversation: str, model: str) -> dict[str, object]:
    """The object of a chat completion."""
    message = {"role": "assistant", "content": answered.text, "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": finish_reason(answered),
        "logprobs": None,
    }
    told = ours(answered, trace_id, conversation)
    return {
        **head("chat.completion", trace_id, model),
        "choices": [choice],
        "usage": usage(answered),
        **told,
    }


class Chunks:
    """The chunks of one streamed completion."""

    def __init__(self, trace_id: str, conversation: str, model: str, with_usage: bool) -> None:
        self._trace_id, self._conversation, self._with_usage = trace_id, conversation, with_usage
        self._head = head("chat.completion.chunk", trace_id, model)

    def first(self) -> dict[str, object]:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, object]:
        return self._chunk({"content": text})

    def last(self, answered: Answered) -> Iterator[dict[str, object]]:
        """The end with what is ours; after it, where it is wanted, the usage."""
        told = ours(answered, self._trace_id, self._conversation)
        yield self._chunk({}, finish_reason(answered)) | told
        if self._with_usage:
            yield {**self._head, "choices": [], "usage": usage(answered)}

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        told: dict[str, object] = {**self._head, "choices": [choice]}
        return told | {"usage": None} if self._with_usage else told
