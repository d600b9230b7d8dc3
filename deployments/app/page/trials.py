"""What people compare on the page: a trial goes on when its tab is closed, and is there after a
reload. Each session has one at a time.
"""

import asyncio
import random
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from llmops.deployments.app.problems import HttpProblem
from llmops.tasks.chat.comparing import ComparedSide, Shown
from llmops.tasks.chat.turn import Answered

MOST = 200
"""Trials that are held; the one that was begun first goes."""
Ending = Literal["done", "stopped", "budget", "failed"]
Kind = Literal["row", "shown", "piece", "end", "ready", "over"]


class SideFields(NamedTuple):
    """A side as it stands in the form. `prompt`: "" for the application's own; `texts`: of its
    messages where they are open for editing.
    """

    prompt: str = ""
    model: str = ""
    texts: tuple[str, ...] = ()


class TrialFields(NamedTuple):
    """The form as it was sent, so that a reload shows it again."""

    question: str = ""
    knowledge_base: str = ""
    blind: bool = True
    sides: tuple[SideFields, ...] = (SideFields(), SideFields())


@dataclass
class TrialRow:
    """One question. `source`: the trace whose question it is; `order`: which side is shown at which
    place; `chosen`: the side that was voted for, `pairs`: what the vote is kept as; `undecided`:
    none was preferred, which is not kept.
    """

    question: str
    order: tuple[int, ...]
    knowledge_base: str | None = None
    source: str = ""
    trace_id: str = ""
    shown: Shown | None = None
    ends: dict[int, Answered | HttpProblem] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    chosen: int | None = None
    pairs: tuple[str, ...] = ()
    revealed: bool = False
    undecided: bool = False

    @property
    def votable(self) -> bool:
        """Whether two sides at least have answered, and all have ended."""
        answered = [end for end in self.ends.values() if isinstance(end, Answered)]
        return len(answered) > 1 and len(self.ends) == len(self.order)


class TrialEvent(NamedTuple):
    """`place`: where a side is shown, from 0 on."""

    kind: Kind
    row: int = 0
    place: int = 0
    text: str = ""


class Trial:
    """`lately`: whether it is of the newest real questions; their number is known once they were
    read.
    """

    def __init__(
        self, fields: TrialFields, sides: Sequence[ComparedSide], request_id: str, *, lately: bool
    ) -> None:
        self.id = secrets.token_hex(12)
        self.fields, self.sides, self.request_id = fields, tuple(sides), request_id
        self.lately = lately
        self.rows: list[TrialRow] = []
        self.expected: int | None = None if lately else 1
        self.ending: Ending | None = None
        self.problem: HttpProblem | None = None
        self.events: list[TrialEvent] = []
        self._ended = set[tuple[int, int]]()
        self._told = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @property
    def blind(self) -> bool:
        return self.fields.blind

    def known(self, row: TrialRow) -> bool:
        """Whether it may be seen what an answer was made with."""
        return row.revealed or not self.blind

    def new_row(self, question: str, knowledge_base: str | None, source: str = "") -> TrialRow:
        """With its sides in an order of its own, where names are hidden."""
        order = list(range(len(self.sides)))
        if self.blind:
            random.SystemRandom().shuffle(order)
        row = TrialRow(question, tuple(order), knowledge_base, source)
        self.rows.append(row)
        return row

    def tell(self, event: TrialEvent) -> None:
        self.events.append(event)
        if event.kind == "end":
            self._ended.add((event.row, event.place))
        told, self._told = self._told, asyncio.Event()
        told.set()

    def end(self, ending: Ending, problem: HttpProblem | None = None) -> None:
        """Once: what came first holds."""
        if self.ending is None:
            self.ending, self.problem = ending, problem
            self.tell(TrialEvent("over"))

    async def follow(self) -> AsyncIterator[TrialEvent]:
        """All that was told, and what will be, until the end. Pieces of answers that are there as a
        whole are left out.
        """
        place = 0
        while True:
            while place < len(self.events):
                event = self.events[place]
                place += 1
                if event.kind != "piece" or (event.row, event.place) not in self._ended:
                    yield event
                if event.kind == "over":
                    return
            await self._told.wait()

    def start(self, work: Coroutine[None, None, None]) -> None:
        self._work = asyncio.create_task(work)

    async def stop(self) -> None:
        """End what is being paid for, and wait for it."""
        self.end("stopped")
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)


class Trials:
    """The trials of an application, by the session of whoever compares."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Trial] = OrderedDict()

    def of(self, owner: str) -> Trial | None:
        return self._held.get(owner)

    async def hold(self, owner: str, trial: Trial) -> None:
        """In the place of the one before, which ends."""
        await self.drop(owner)
        self._held[owner] = trial
        while len(self._held) > MOST:
            _, oldest = self._held.popitem(last=False)
            await oldest.stop()

    async def drop(self, owner: str) -> None:
        if (before := self._held.pop(owner, None)) is not None:
            await before.stop()

    async def close(self) -> None:
        for owner in list(self._held):
            await self.drop(owner)
