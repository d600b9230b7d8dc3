"""What a chunker pays for: sentences are embedded and questions are asked once, whoever owns
them, also after a crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from llmops.tasks.calls.gateway import BlockingGateway
from llmops.tasks.calls.prices import shipped_price
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.caches import EmbeddingPayer, load_embeddings, unpaid
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.llms import Llm, Message, Request
from llmops.tasks.schemas import Starts, Vectors, sha256

T = TypeVar("T")


@dataclass
class EmbeddingBill:
    """`embedded`: how many texts, of so many `tokens`; `cost_usd`: US dollars."""

    embedded: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class PayingTokenizer:
    """The tokenizer that a build hands to a chunker, for one document: it can embed (`Embedding`)
    and ask (`Asking`).
    """

    build: Build
    embedder: Embedder
    gateway: BlockingGateway
    owner: str = ""
    bill: EmbeddingBill = field(default_factory=EmbeddingBill)

    @property
    def max_tokens(self) -> int:
        return self.embedder.max_tokens

    @property
    def languages(self) -> frozenset[str]:
        return self.embedder.languages

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self.embedder.token_offsets(text)

    def token_starts(self, text: str) -> Starts:
        return self.embedder.token_starts(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the embedder's; what the ledger has is not computed again."""
        ledger, model = self.build.ledger, self.build.fingerprints.model
        paying = EmbeddingPayer(ledger, model, self.embedder, self.build.payer)
        for portion in unpaid(ledger, model, texts, self.embedder.texts_per_call):
            tokens = sum(self.embedder.count(text) for text in portion.values())
            paying.pay(portion, tokens)
            self.bill.embedded += len(portion)
            self.bill.tokens += tokens
            self.bill.cost_usd += tokens * self.embedder.price / 1e6
        keys = [sha256(text) for text in texts]
        return load_embeddings(ledger, model, keys, self.embedder.dimension)

    def ask(self, llm: Llm, messages: Sequence[Message], read: Callable[[str], T]) -> T:
        """What `read` makes of the reply: from the ledger, else from the model, which is told of
        its mistake up to two times.

        Only a reply that can be read is remembered. Raises DocumentError after three that cannot.
        """
        request = Request(messages=tuple(messages), output={"type": "object"})
        asked = self.gateway.ask(llm, shipped_price(llm), request, owner=self.owner, read=read)
        return read(asked.reply.text)
