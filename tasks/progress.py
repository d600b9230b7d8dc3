"""How far a run is: rooms say what they have done, whoever wants to know looks.

    with stage("read", total=120) as step:
        for item in items:
            read(item)
            step()

goes to the board of the current run, if it has one: a context variable, which threads of Prefect's
tasks inherit. A board is looked at (`Board.look`) by a terminal, a log, a file or a page, as often
as each of them likes; rooms know none of them. A step costs about a microsecond.

A step is also the place where a run that was asked to stop ends: it raises Stopped.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

from llmops.tasks import stopping

Step = Callable[..., None]
"""`step(n=1)`: so many more are done."""
UNIT = "documents"
T = TypeVar("T")


class StageSeen(NamedTuple):
    """A stage as it is at a moment. `seconds`: since it began; `total` None: nobody knows;
    `expected`: it was announced before it began.
    """

    name: str
    done: int
    total: int | None
    unit: str
    seconds: float
    active: bool
    expected: bool = False

    @property
    def counted(self) -> str:
        """`1,200 of 5,000 chunks`."""
        if self.total is None:
            return f"{self.done:,} {self.unit}" if self.done else ""
        return f"{self.done:,} of {self.total:,} {self.unit}"

    @property
    def complete(self) -> bool:
        return not self.active and (self.total is None or self.done >= self.total)


class BoardSeen(NamedTuple):
    """A board as it is at a moment. `about`: the run's name; `run`: its id; `url`: its page in the
    Prefect UI; `counts`: such as `quarantined`, and `usd` for what was spent.
    """

    about: str
    run: str
    url: str
    stages: tuple[StageSeen, ...]
    counts: dict[str, float]

    @property
    def current(self) -> StageSeen | None:
        """The last stage at which something is done, else the last that has begun."""
        begun = [each for each in self.stages if each.active or each.done]
        last = [each for each in begun if each.active] or begun
        return last[-1] if last else None

    @property
    def share(self) -> float:
        """Of all that was announced, each stage for as much as any other; where nothing was, of the
        stage under way: 0 to 1.
        """
        announced = [each for each in self.stages if each.expected]
        counted = announced or [each for each in [self.current] if each and each.total]
        shares = [each.done / each.total if each.total else 0.0 for each in counted]
        return sum(shares) / len(shares) if shares else 0.0


class _Stage:
    def __init__(self, name: str, unit: str) -> None:
        self.name, self.unit, self.began, self.ended = name, unit, 0.0, 0.0
        self.total: int | None = None
        self.done, self.active, self.expected = 0, 0, False


class Board:
    """What one run, or one command, has done so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, _Stage] = {}
        self._counts: dict[str, float] = {}
        self._about, self._run, self._url = "", "", ""
        self.noted = False
        self.runs: list[str] = []
        """Those that it was the board of, by their ids, the first one first."""

    def look(self) -> BoardSeen:
        now = time.monotonic()
        with self._lock:
            stages = tuple(
                StageSeen(
                    *(each.name, each.done),
                    None if each.total is None else max(each.total, each.done),
                    each.unit,
                    seconds=(now if each.active else each.ended) - each.began,
                    active=each.active > 0,
                    expected=each.expected,
                )
                for each in self._stages.values()
            )
            return BoardSeen(self._about, self._run, self._url, stages, dict(self._counts))

    def tell(self, about: str, run: str, url: str) -> None:
        with self._lock:
            if run != self._run and self._run:  # the next run of several: its own stages
                self._stages, self._counts = {}, {}
            self._about, self._run, self._url = about, run, url
            if run not in self.runs:
                self.runs.append(run)

    def expect(self, name: str, total: int, unit: str) -> None:
        with self._lock:
            each = self._stages.setdefault(name, _Stage(name, unit))
            each.total, each.unit, each.expected = each.done + total, unit, True

    def enter(self, name: str, total: int | None, unit: str) -> _Stage:
        with self._lock:
            each = self._stages.setdefault(name, _Stage(name, unit))
            each.began = each.began or time.monotonic()
            each.active += 1
            if total is not None and not each.expected:
                each.total = (each.total or 0) + total
            return each

    def leave(self, each: _Stage) -> None:
        with self._lock:
            each.active -= 1
            each.ended = time.monotonic()

    def add(self, each: _Stage, done: int) -> None:
        with self._lock:
            each.done += done

    def finish(self, name: str) -> None:
        with self._lock:
            if each := self._stages.get(name):
                each.total = each.done

    def count(self, name: str, amount: float) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + amount


_BOARD: ContextVar[Board | None] = ContextVar("llmops_progress", default=None)


def board() -> Board | None:
    """Of the current run; None where nobody looks."""
    return _BOARD.get()


@contextmanager
def watched(to: Board) -> Iterator[Board]:
    """What is done in the block goes to this board."""
    token = _BOARD.set(to)
    try:
        yield to
    finally:
        _BOARD.reset(token)


def expect(name: str, total: int, unit: str = UNIT) -> None:
    """So much is to be done in a stage, before it begins or while it runs: its parts need not say
    it.
    """
    if current := _BOARD.get():
        current.expect(name, total, unit)


def finished(*names: str) -> None:
    """No more comes of these stages: what fell out on the way was counted before."""
    if current := _BOARD.get():
        for name in names:
            current.finish(name)


@contextmanager
def stage(name: str, total: int | None = None, unit: str = UNIT) -> Iterator[Step]:
    """A stage, or a part of one that several tasks do. Gives the function that says what is done;
    it raises Stopped where the run was asked to stop.
    """
    stopping.check()
    current = _BOARD.get()
    if current is None:
        yield _unseen
        return
    entered = current.enter(name, total, unit)

    def step(done: int = 1) -> None:
        current.add(entered, done)
        stopping.check()

    try:
        yield step
    finally:
        current.leave(entered)


def each(
    items: Iterable[T],
    name: str,
    total: int | None = None,
    unit: str = UNIT,
    size: Callable[[T], int] = lambda _item: 1,
) -> Iterator[T]:
    """The items, as a stage: each counts when the next is asked for. `size`: how many pieces one
    is.
    """
    with stage(name, total, unit) as step:
        for item in items:
            yield item
            step(size(item))


def _unseen(done: int = 1) -> None:
    del done
    stopping.check()


def count(name: str, amount: float = 1) -> None:
    """Something that grows meanwhile, such as `quarantined`, or `usd` for what is spent."""
    if (current := _BOARD.get()) and amount:
        current.count(name, amount)


def about(name: str, run: str, url: str = "") -> None:
    """Which run this is: its name, its id and its page."""
    if current := _BOARD.get():
        current.tell(name, run, url)
