"""What a chunker may pay with: sentences are embedded and questions are asked once, whoever owns
them, also after a crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select

from llmops.tasks.errors import DocumentError
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.caches import known_embeddings, load_embeddings, save_embeddings
from llmops.tasks.ledger import now, upsert
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.llms import Llm, Message, Reply
from llmops.tasks.schemas import Vectors, sha256

T = TypeVar("T")
TEXTS_PER_CALL = 64
ATTEMPTS = 3


@dataclass
class Spent:
    """`embedded`: how many texts; `tokens`: of both kinds of models; `cost_usd`: US dollars."""

    embedded: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Purse:
    """The tokenizer that a build hands to a chunker, for one document: it can embed (`Embedding`)
    and ask (`Asking`).
    """

    build: Build
    embedder: Embedder
    owner: str = ""
    spent: Spent = field(default_factory=Spent)

    @property
    def max_tokens(self) -> int:
        return self.embedder.max_tokens

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self.embedder.token_offsets(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the embedder's; what the ledger has is not computed again."""
        keys = [sha256(text) for text in texts]
        ledger, model = self.build.ledger, self.build.stages.model
        known = known_embeddings(ledger, model, list(set(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        names = list(missing)
        for start in range(0, len(names), TEXTS_PER_CALL):
            part = names[start : start + TEXTS_PER_CALL]
            save_embeddings(
                ledger, model, part, self.embedder.embed([missing[key] for key in part])
            )
            self._pay([missing[key] for key in part])
        return load_embeddings(ledger, model, keys, self.embedder.dimension)

    def _pay(self, texts: Sequence[str]) -> None:
        tokens = sum(self.embedder.count(text) for text in texts)
        self.spent.embedded += len(texts)
        self.spent.tokens += tokens
        self.spent.cost_usd += tokens * self.embedder.price / 1e6

    def ask(self, llm: Llm, messages: Sequence[Message], read: Callable[[str], T]) -> T:
        """What `read` makes of the reply: from the ledger, else from the model, which is told of
        its mistake up to two times.

        Only a reply that can be read is remembered. Raises DocumentError after three that cannot.
        """
        key = sha256(
            canonical(
                [
                    llm.fingerprint(),
                    [message.model_dump(exclude_defaults=True) for message in messages],
                ]
            )
        )
        known, asked, trouble = self._known(key), list(messages), ""
        for _ in range(ATTEMPTS):
            reply = known or self._complete(llm, asked)
            try:
                found = read(reply.text)
            except ValueError as error:
                trouble, known = str(error), None
                asked = [
                    *messages,
                    Message(role="assistant", content=reply.text),
                    Message(role="user", content=f"Not valid: {error}"),
                ]
                continue
            if not known:
                self._remember(key, llm, reply)
            return found
        raise DocumentError(
            f"the language model gave {ATTEMPTS} replies that cannot be used; the last: {trouble}"
        )

    def _known(self, key: str) -> Reply | None:
        with self.build.ledger.read() as connection:
            found = connection.scalar(select(calls.c.reply).where(calls.c.key == key))
        return None if found is None else Reply(text=found)

    def _complete(self, llm: Llm, messages: Sequence[Message]) -> Reply:
        reply = llm.complete(messages, structured=True)
        self.spent.tokens += reply.tokens_in + reply.tokens_out
        self.spent.cost_usd += llm.cost(reply)
        return reply

    def _remember(self, key: str, llm: Llm, reply: Reply) -> None:
        row = {
            "key": key,
            "owner": self.owner,
            "reply": reply.text,
            "tokens": reply.tokens_in + reply.tokens_out,
            "cost_usd": llm.cost(reply),
            "created_at": now(),
        }
        with self.build.ledger.write() as connection:
            upsert(connection, calls, [row])
