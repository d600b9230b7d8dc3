"""The row of a training data set: a conversation, or a prompt with a better and a worse answer."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "developer", "user", "assistant", "tool"]


class FunctionCall(BaseModel):
    """`arguments`: the JSON text as the model wrote it."""

    model_config = ConfigDict(frozen=True)
    name: str
    arguments: str


class FunctionToolCall(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class RowMessage(BaseModel):
    """As OpenAI's chat format has it. `content` is None only beside `tool_calls`."""

    model_config = ConfigDict(frozen=True)
    role: Role
    content: str | None = None
    name: str | None = None
    tool_calls: tuple[FunctionToolCall, ...] = ()
    tool_call_id: str | None = None


class Row(BaseModel):
    """With `chosen` and `rejected` the messages are the prompt alone; else they end with the
    answer, and `score` says how good people found it, from 0 to 1.

    `group`: rows of one document, user or conversation; a split never parts them. `cut`: the
    source has cut a text short, so the row is never trained on. `lineage`: where it comes from, as
    far as known: `collector`, `trace_id`, `reviewers` (pseudonyms), `app`, `prompt`, `model`,
    `knowledge_base`, `version`, `uri`, `licence`, and whatever else the source says.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    messages: tuple[RowMessage, ...]
    tools: tuple[dict[str, Any], ...] = ()
    score: float | None = None
    chosen: tuple[RowMessage, ...] | None = None
    rejected: tuple[RowMessage, ...] | None = None
    group: str
    cut: bool = False
    lineage: dict[str, Any] = Field(default_factory=dict)
