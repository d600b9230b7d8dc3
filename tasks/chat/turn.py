"""One turn of a conversation: what was asked, and what came of it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins.llms import Message

Finish = Literal["stop", "length", "refused"]
Cached = Literal["no", "exact", "semantic", "curated"]


class Turn(BaseModel):
    """`history`: what was said before, oldest first. `labels`: the access labels that whoever asks
    holds. `person`: their pseudonym, "" for nobody known. `parameters`: of the model, as the client
    set them (temperature, max_tokens, …). `knowledge_base`: None for the application's first.
    """

    model_config = ConfigDict(frozen=True)
    question: str
    history: tuple[Message, ...] = ()
    conversation: str = ""
    person: str = ""
    key_id: str = ""
    labels: frozenset[str] = frozenset()
    parameters: dict[str, Any] = Field(default_factory=dict)
    knowledge_base: str | None = None


class Citation(BaseModel):
    """A passage that an answer rests on. `number`: as [1] in the text; `start`, `end`: characters
    of the document's text. `cited`: whether the answer names it; where it names none, all passages
    that the model was shown are listed, and none of them is cited.
    """

    model_config = ConfigDict(frozen=True)
    number: int
    cited: bool = True
    uri: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    start: int
    end: int
    chunk_id: str
    doc_id: str
    knowledge_base: str
    version: int
    score: float
    text: str


class Usage(BaseModel):
    """Tokens and US dollars of all calls that an answer took."""

    model_config = ConfigDict(frozen=True)
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


class Answered(BaseModel):
    """`finish` refused: a guard spoke, or no passage supports an answer, and `refusal` says why.
    `model`: which one answered, "" for none; `trained`: its version, as in models:/NAME/3, where it
    is a trained one. `prompt`: uri of the prompt's version. `version`: of the knowledge base, the
    same for all citations. `reviewed_at`: of a curated answer, when a person said so.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    citations: tuple[Citation, ...] = ()
    finish: Finish = "stop"
    refusal: str | None = None
    usage: Usage = Usage()
    model: str = ""
    trained: str = ""
    prompt: str = ""
    knowledge_base: str = ""
    version: int = 0
    cached: Cached = "no"
    reviewed_at: datetime | None = None
