"""What was said in conversations that clients name: they need not send it again.

The latest turns are held in memory, and read back from the traces where another process has
answered or this one is new. The ledger says what is still there: nothing that was deleted comes
back.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from llmops.tasks.chat.turn import Turn
from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins.llms import Message
from llmops.tasks.traces import index
from llmops.tasks.traces.reading import conversation as read_conversation

log = logging.getLogger(__name__)
CONVERSATIONS: Final = 2_000
TURNS: Final = 25
SECONDS: Final = 2.0
"""How long a question waits for what the traces hold of its conversation."""
READERS: Final = 2
LONGEST_ID: Final = 64
OPEN: Final = "open"
"""The status of a trace whose request has not ended."""


class SpokenTurn(NamedTuple):
    """A question and its answer, by the trace; both empty for one that cannot be read."""

    trace_id: str
    question: str
    answer: str


class Key(NamedTuple):
    """Whose conversation it is: a person's, by the key that began it; whoever holds another key may
    call themselves as they like.
    """

    conversation: str
    person: str
    key_id: str


class Conversations:
    """The conversations of one application, each of one person. Belongs to one event loop."""

    def __init__(self, home: Path, app: str) -> None:
        self._home, self._app = home, app
        self._held: OrderedDict[Key, list[SpokenTurn]] = OrderedDict()
        self._readers = ThreadPoolExecutor(READERS, "conversations")

    async def history(self, turn: Turn, trace_id: str) -> tuple[Message, ...]:
        """What was said before, oldest first: nothing for a new conversation, and nothing of
        anybody else's. Where the traces do not answer in time, what is known without them.
        `trace_id`: of this turn.
        """
        key = _key(turn)
        held = self._held.get(key, [])
        try:
            known, gone = await asyncio.to_thread(self._look, key, [said.trace_id for said in held])
        except LlmopsError as error:
            log.warning("what is left of a conversation is not known: %s", error)
            return ()
        held = [said for said in held if said.trace_id not in gone]
        known -= {trace_id}
        if known - {said.trace_id for said in held}:
            held = await self._read(key, held, known)
        self._hold(key, held)
        return tuple(message for said in held for message in _messages(said))

    def said(self, turn: Turn, trace_id: str, answer: str) -> None:
        """A turn that was answered."""
        key = _key(turn)
        self._hold(key, [*self._held.get(key, []), SpokenTurn(trace_id, turn.question, answer)])

    def close(self) -> None:
        """A reader that waits for MLflow is not waited for."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _look(self, key: Key, held: Sequence[str]) -> tuple[set[str], set[str]]:
        """The traces of the conversation by the ledger, and those held that were deleted."""
        rows = index.of_conversation(self._home, self._app, key.conversation, key.person)
        mine = [row.id for row in rows if row.status != OPEN and row.key_id == key.key_id]
        return set(mine[-TURNS:]), index.deleted(self._home, held)

    async def _read(self, key: Key, held: list[SpokenTurn], known: set[str]) -> list[SpokenTurn]:
        """With the turns that only the traces have, in the order of time."""
        whose = (self._app, key.conversation, key.person)
        work = partial(read_conversation, self._home, *whose, TURNS)
        reading = asyncio.get_running_loop().run_in_executor(self._readers, work)
        try:
            async with asyncio.timeout(SECONDS):
                turns = await reading
        except (LlmopsError, TimeoutError) as error:
            log.warning("a conversation is not read from its traces: %s", error or "it takes long")
            return held
        read = [
            SpokenTurn(turn.trace_id, turn.question, turn.answer)
            for turn in turns
            if turn.trace_id in known
        ]
        there = {said.trace_id for said in read}
        unread = [SpokenTurn(trace_id, "", "") for trace_id in known - there]
        mine = [said for said in held if said.trace_id not in there | known]
        return [*unread, *read, *mine]

    def _hold(self, key: Key, held: list[SpokenTurn]) -> None:
        self._held[key] = held[-TURNS:]
        self._held.move_to_end(key)
        while len(self._held) > CONVERSATIONS:
            self._held.popitem(last=False)


def _key(turn: Turn) -> Key:
    return Key(turn.conversation[:LONGEST_ID], turn.person, turn.key_id)


def _messages(said: SpokenTurn) -> tuple[Message, ...]:
    if not said.question or not said.answer:
        return ()
    return (
        Message(role="user", content=said.question),
        Message(role="assistant", content=said.answer),
    )
