"""What people see while a long command runs: on a terminal a live line per stage, elsewhere a line
of the log every 30 seconds, all of it on standard error.
"""

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

from llmops.tasks.progress import Board, BoardSeen, StageSeen

if TYPE_CHECKING:
    from rich.table import Table

EVERY_SECONDS, REFRESHES = 30.0, 3
WINDOW_SECONDS, WARM_SECONDS = 20.0, 2.0
"""How far back a rate looks, and how old a stage is before there is one."""
STEADY_SECONDS, STEADY_SHARE = 8.0, 0.02
"""How old a stage is, and how much of it is done, before it is said what is left: the first
pieces load a model or come all at once."""
BAR, GAP = 16, 2
"""Columns of a bar, and between two columns."""
COUNTED = ("quarantined", "failed", "remembered")


class Display(Protocol):
    """Shows a board until it is closed."""

    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


class NoDisplay:
    """`--quiet`: shows nothing, and says only what the user has asked for by Ctrl-C."""

    def say(self, text: str) -> None:
        del text

    def close(self) -> None:
        """There is nothing to give back."""


class Rates:
    """Pieces per second of each stage, over its last 20 seconds."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, int]]] = {}

    def of(self, each: StageSeen) -> float | None:
        """None until a stage has run for two seconds or has done nothing of late."""
        samples = self._samples.setdefault(each.name, deque())
        if samples and samples[-1][1] > each.done:
            samples.clear()  # a new run's stage of the same name
        if not samples:
            samples.append((0.0, 0))
        samples.append((each.seconds, each.done))
        while len(samples) > 2 and samples[1][0] < each.seconds - WINDOW_SECONDS:
            samples.popleft()
        seconds, done = samples[0]
        if each.seconds < WARM_SECONDS or each.done <= done:
            return None
        return (each.done - done) / (each.seconds - seconds)


def per_second(rate: float | None) -> str:
    """`56/s`, `0.25/s`; slower than one in ten seconds is told by the minute."""
    if rate is None:
        return ""
    if rate < 0.1:
        return f"{60 * rate:.1f}/min"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


def left(each: StageSeen, rate: float | None) -> str:
    """`2 min left`, from the rate of late; nothing until that is known to some degree."""
    if not rate or each.total is None or each.done >= each.total:
        return ""
    if each.seconds < STEADY_SECONDS or each.done < STEADY_SHARE * each.total:
        return ""
    return f"{duration((each.total - each.done) / rate)} left"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def sums(seen: BoardSeen) -> list[str]:
    """`3 quarantined`, `$0.0012 spent`; what is zero is left out."""
    told = [f"{seen.counts[name]:,.0f} {name}" for name in COUNTED if seen.counts.get(name)]
    usd = seen.counts.get("usd", 0)
    return [*told, f"${usd:,.4f} spent"] if usd >= 0.00005 else told


def line(seen: BoardSeen, rates: Rates) -> str:
    """A board in one line of a log; empty where nothing has begun."""
    active = [each for each in seen.stages if each.active]
    told = []
    for each in active or filter(None, [seen.current]):
        rate = rates.of(each)
        parts = (f"{each.name} {each.counted}".strip(), per_second(rate), left(each, rate))
        told.append(", ".join(filter(None, parts)))
    if not told:
        return ""
    name = f"{seen.about}: " if seen.about else ""
    return name + "; ".join([*told, *sums(seen)])


class LogLines:
    """A line every so often, on a stream that is no terminal. Quick commands say nothing."""

    def __init__(self, board: Board, stream: TextIO, every: float = EVERY_SECONDS) -> None:
        self._board, self._stream, self._every = board, stream, every
        self._rates, self._url, self._over = Rates(), "", threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            seen = self._board.look()
            if seen.url != self._url:
                self._url = seen.url
                self.say(f"{seen.about}  {seen.url}")
            if told := line(seen, self._rates):
                self.say(f"{time.strftime('%H:%M:%S')} {told}")


class LiveLines:
    """A live line per stage, on a terminal; the name of the run and its page once, above."""

    def __init__(self, board: Board, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as Region

        self._board, self._rates, self._told = board, Rates(), ""
        self._began = time.monotonic()
        self._console = Console(file=stream, highlight=False, emoji=False, soft_wrap=False)
        self._region = Region(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
        )
        self._region.start()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._name(self._board.look())
        self._region.stop()

    def _name(self, seen: BoardSeen) -> None:
        """On a terminal at once, as soon as it is known."""
        if seen.url and seen.url != self._told:
            self._told = seen.url
            self._console.print(f"{seen.about}  {seen.url}", markup=False, soft_wrap=True)

    def _drawn(self) -> "Table":
        seen = self._board.look()
        self._name(seen)
        took = duration(time.monotonic() - self._began)
        return table(seen, self._rates, took, self._console.width)


def table(seen: BoardSeen, rates: Rates, took: str, width: int) -> "Table":
    """A board as a table: a row per stage, and the sums below. Bars are drawn where there is room
    for them.
    """
    from rich.cells import cell_len
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    stages = [each for each in seen.stages if each.done or not each.complete]
    cells = [_cells(each, rates) for each in stages]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    room = width - sum(widths) - GAP * (len(widths) + 1)
    drawing = Table.grid(padding=(0, GAP, 0, 0))
    for number in range(5):
        least = widths[0] if widths and number == 0 else None
        drawing.add_column(no_wrap=True, overflow="ellipsis", min_width=least)
    for each, (name, *rest) in zip(stages, cells, strict=True):
        moving = each.active and each.total is None
        bar = ProgressBar(each.total or None, each.done, BAR, pulse=moving)
        shown = bar if room >= BAR and (each.total is not None or moving) else Text("")
        style = "dim" if each.complete else ""
        drawing.add_row(Text(name, style), shown, *(Text(cell, style) for cell in rest))
    rows = Table.grid()
    rows.add_row(drawing)
    told = [*sums(seen), took] if stages else ["working", took]
    rows.add_row(Text(" · ".join(told), "dim"))
    return rows


def _cells(each: StageSeen, rates: Rates) -> tuple[str, str, str, str]:
    """Name, how much is done, the rate, and what is left; of a complete stage what it took."""
    rate = None if each.complete else rates.of(each)
    after = duration(each.seconds) if each.complete else left(each, rate)
    return each.name, each.counted, per_second(rate), after


@contextlib.contextmanager
def shown(board: Board, *, quiet: bool, plain: bool = False) -> Iterator[Display]:
    """Show a board while the block runs. `plain`: lines also on a terminal, among those of a
    log.
    """
    display: Display
    if quiet:
        display = NoDisplay()
    elif sys.stderr.isatty() and not plain:
        display = LiveLines(board, sys.stderr)
    else:
        display = LogLines(board, sys.stderr)
    try:
        yield display
    finally:
        display.close()
