"""How far a long run is, for those who watch it in the Prefect UI: one progress artifact, written
anew while the run goes on. A run of a few seconds has none.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from uuid import UUID

from httpx import HTTPError
from prefect import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import PrefectException

from llmops.flows.progress import Rates, duration, line
from llmops.tasks.artifacts import text
from llmops.tasks.progress import Board, BoardSeen

FIRST_SECONDS, MOST_SECONDS, SHARE = 10.0, 60.0, 0.05
LAST_SECONDS = 2.0
"""That the end of a run waits for a server which does not answer."""


def pause(ran: float, first: float = FIRST_SECONDS) -> float:
    """Seconds until it is written again: ten, then a twentieth of what the run has lasted, at last
    a minute. A night of ten hours writes some 600 times.
    """
    return min(max(first, SHARE * ran), MOST_SECONDS)


@contextlib.contextmanager
def drawn(board: Board, key: str, first: float = FIRST_SECONDS) -> Iterator[None]:
    """Show the next run of this board in the Prefect UI while the block lasts. The run waits for
    none of it, and does not fail with it.
    """
    artifact = _Artifact(board, key)
    over, context = threading.Event(), copy_context()  # which server is asked is in the context
    ended: list[bool] = []

    def draw() -> None:
        while not over.wait(pause(artifact.ran, first)):
            artifact.draw()
        artifact.end(whole=bool(ended))

    thread = threading.Thread(target=context.run, args=(draw,), name="progress drawn", daemon=True)
    thread.start()
    try:
        yield
        ended.append(True)
    finally:
        over.set()
        thread.join(LAST_SECONDS)


class _Artifact:
    """Made when there is something to say, and written anew from then on."""

    def __init__(self, board: Board, key: str) -> None:
        self._board, self._key, self._place = board, key, len(board.runs)
        self._rates, self._began = Rates(), time.monotonic()
        self._made: UUID | None = None
        self._last: BoardSeen | None = None

    @property
    def ran(self) -> float:
        return time.monotonic() - self._began

    def draw(self) -> None:
        seen = self._seen()
        if seen and (told := line(seen, self._rates)):
            self._last = seen
            self._write(seen, 100 * seen.share, f"{told}; {duration(self.ran)} so far")

    def end(self, whole: bool) -> None:
        """What is there for good, where something is."""
        if self._made is None or (seen := self._seen() or self._last) is None:
            return
        announced = [each for each in seen.stages if each.expected]
        done = whole and all(each.done >= (each.total or 0) for each in announced)
        counted = "; ".join(f"{each.name} {each.counted}" for each in seen.stages if each.done)
        word = "ended" if whole else "broken off"
        percent = 100.0 if done else 100 * seen.share
        self._write(seen, percent, f"{word} after {duration(self.ran)}: {counted}")

    def _seen(self) -> BoardSeen | None:
        """The board; None where its run is not this one: not yet, or one inside of this."""
        seen, mine = self._board.look(), self._board.runs[self._place : self._place + 1]
        return seen if [seen.run] == mine else None

    def _write(self, seen: BoardSeen, percent: float, told: str) -> None:
        with (
            contextlib.suppress(HTTPError, PrefectException),  # the run itself is what matters
            get_client(sync_client=True) as client,
        ):
            if self._made is not None:
                update = ArtifactUpdate(data=percent, description=text(told))
                client.update_artifact(self._made, update)
                return
            new = ArtifactCreate(
                key=self._key,
                type="progress",
                data=percent,
                description=text(told),
                flow_run_id=UUID(seen.run),
            )
            self._made = client.create_artifact(new).id
