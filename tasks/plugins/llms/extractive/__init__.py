"""A model without a model: it answers with the best supported sentences of what it is given.
Offline, deterministic, free.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

from pydantic import Field

from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request

WORD = re.compile(r"\s*\S+|\s+")


class ExtractiveLlm(Llm):
    """It reads the messages alone. The last user message holds the question: what follows
    `Question:` at the start of a line, up to an empty line, else its last paragraph that gives no
    order. The rest of the messages (but the assistant's) is instructions and context: context
    stands in numbered blocks (`[1] title`, the text below), between tags such as <context>, or
    below a line such as `Context:`; where there is none of these, every paragraph that does not
    begin like an order is context.

    A sentence is supported by the question's words that it holds, as stems, each weighted by how
    rare it is in the context (inverse document frequency); words of the sentence before it and of
    the passage's title count half. In Chinese, Japanese, Korean and Thai, pairs of characters take
    the place of words. Sentences with at least half the support of the best one are given, at most
    `sentences`, in the order in which they stood.

    Sentences are of running text: an item of a list is one without its mark, a row of a table
    another; a heading is none, nor is code between fences, a table's rule, or the end of a sentence
    that begins in the passage before. Words of a heading count half for what stands below it. Where
    a passage has nothing else, these are said.

    It follows these instructions, in English, wherever they stand outside the context:
    - `in one sentence`, `at most 2 sentences`: instead of `sentences`; `in 30 words`, `at most 30
    words`: whole sentences as long as
      they fit, the first one cut where even it does not.
    - `cite`, `give the sources`: the number of the passage after each sentence, as [1], where
    passages are numbered.
    - `quote`, `verbatim`: each sentence in quotation marks. `Do not cite`, `never quote` undo
    these.
    - `If the passages do not answer it, say "…"`: these words exactly, when no sentence has the
    support `threshold`. Without such an
      instruction the best sentence is given however little supports it; without any context it says
      that it does not know. (0.3 answers 70 of 100 answerable questions of CLAP-NQ's development
      set, and refuses 66 of 100 unanswerable ones.)

    `max_tokens` is honoured, a word or a character of Chinese being a token; a reply that is cut
    has `finish: length`. A schema for the output gets the answer in its first text property, and
    numbers of passages in a list of integers.
    """

    revision: ClassVar[int] = 3
    sentences: int = Field(default=3, ge=1, le=50)
    threshold: float = Field(default=0.3, ge=0, le=1)

    @property
    def free(self) -> bool:
        return True

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        yield ExtractiveConnection(self.sentences, self.threshold)


class ExtractiveConnection(Connection):
    """Answers from the messages."""

    def __init__(self, sentences: int, threshold: float) -> None:
        self._sentences, self._threshold = sentences, threshold

    async def ask(self, request: Request) -> Reply:
        from llmops.tasks.plugins.llms.extractive.answer import PIECE, answered, filled

        said = answered(request.messages, self._sentences, self._threshold)
        text = (
            said.text
            if request.output is None
            else json.dumps(filled(request.output, said.text, said.cited), ensure_ascii=False)
        )
        pieces = list(PIECE.finditer(text))
        most = request.parameters.get("max_tokens") or len(pieces)
        size = sum(len(PIECE.findall(message.content)) for message in request.messages)
        whole = len(pieces) <= most
        return Reply(
            text=text if whole else text[: pieces[most - 1].end()],
            tokens_in=size,
            tokens_out=min(most, len(pieces)),
            finish="stop" if whole else "length",
        )

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Word by word."""
        reply = await self.ask(request)
        for word in WORD.findall(reply.text):
            yield word
        yield reply
