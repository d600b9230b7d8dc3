"""A small application over a knowledge base of towers, and what it answers."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import select

from llmops.configs.serve import ServeConfig
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Message
from tests.workshop import Workshop

T = TypeVar("T")
BASE = "towers"
TEXTS = {
    "eiffel.txt": "The Eiffel Tower is a lattice tower in Paris. "
    "It was built from 1887 to 1889 by the company of Gustave Eiffel. "
    "The Eiffel Tower is 330 metres tall.",
    "bigben.txt": "Big Ben is the nickname of the Great Bell in London. "
    "The clock tower of London was completed in 1859. "
    "The Great Bell of London weighs 13 tonnes.",
    "pisa.txt": "The Leaning Tower of Pisa stands in Italy. "
    "The tower of Pisa leans by four degrees towards the south. "
    "Construction of the tower of Pisa began in 1173.",
}
TALL = "How tall is the Eiffel Tower?"
PROMPT = """
name: towers
messages:
  - role: system
    content: |
      Answer from the passages in one sentence, and cite them by their numbers, such as [1].

      {{passages}}
  - role: user
    content: "{{question}}"
model: {temperature: 0, max_tokens: 100}
"""


class Span:
    """A step that was recorded."""

    def __init__(self, name: str, kind: str, inputs: object) -> None:
        self.name, self.kind, self.inputs = name, kind, inputs
        self.outputs: object = None
        self.attributes: dict[str, object] = {}
        self.paid: tuple[str, int, int, float] | None = None
        self.error = ""

    def used(self, model: str, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        self.paid = (model, tokens_in, tokens_out, cost_usd)


class Record:
    """What one turn recorded, in the order in which steps began."""

    def __init__(self, number: int = 1) -> None:
        self.id = f"tr-{number:032x}"
        self.spans: list[Span] = []

    @contextmanager
    def span(self, name: str, kind: str, inputs: object = None) -> Iterator[Span]:
        span = Span(name, kind, inputs)
        self.spans.append(span)
        try:
            yield span
        except BaseException as error:
            span.error = f"{type(error).__name__}: {error}"
            raise

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def __getitem__(self, name: str) -> Span:
        return next(span for span in self.spans if span.name == name)


class Towers(NamedTuple):
    """The knowledge base, and the folder of the application's config."""

    shop: Workshop
    folder: Path

    @property
    def home(self) -> Path:
        return self.shop.home

    def config(self, **changes: Any) -> ServeConfig:
        """The config, with some keys replaced."""
        (self.folder / "towers.yaml").write_text(PROMPT)
        content = {
            "flow": "serve",
            "app": "guide",
            "knowledge_bases": [BASE],
            "prompt": "towers.yaml",
            "retrieve": {"k": 3},
        }
        return ServeConfig.model_validate(content | changes).model_copy(
            update={"folder": self.folder}
        )

    def run(self, work: Callable[[ChatEngine], Awaitable[T]], **changes: Any) -> T:
        """What the work comes to with an engine of the config."""

        async def inside() -> T:
            async with ChatEngine(self.config(**changes).app_spec(self.home)) as engine:
                return await work(engine)

        return asyncio.run(inside())

    def ask(self, question: str, record: Record | None = None, **changes: Any) -> Answered:
        """One answer by an engine of its own. `turn`: more of the turn."""
        turn = Turn(question=question, **changes.pop("turn", {}))
        recorder = record or Record()
        return self.run(lambda engine: engine.answer(turn, recorder), **changes)

    def paid(self) -> list[tuple[str, int, float]]:
        """(owner, tokens, dollars) of the calls in the ledger."""
        with open_ledger(self.home).read() as connection:
            rows = connection.execute(select(calls.c.owner, calls.c.tokens, calls.c.cost_usd))
            return sorted((row.owner, row.tokens, row.cost_usd) for row in rows)


def built(folder: Path) -> Workshop:
    """The knowledge base, built."""
    shop = Workshop(folder, Spec(name="lancedb"), kb=BASE)
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    return shop


def copied(shop: Workshop, folder: Path) -> Towers:
    """A copy that a test may change."""
    mine = Workshop(folder, shop.store, kb=BASE)
    shutil.copytree(shop.home, mine.home, dirs_exist_ok=True)
    mine.embedder = shop.embedder
    return Towers(mine, folder)


def said(*texts: str) -> tuple[Message, ...]:
    """A conversation, the person first."""
    return tuple(
        Message(role="assistant" if number % 2 else "user", content=text)
        for number, text in enumerate(texts)
    )
