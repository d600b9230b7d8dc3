"""One cell of the table: a copy of an indexed folder, a reader that searches without pause, a run
into which a fault strikes, one plain rerun, and the figures.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict

from benchmarks.faults import audit
from benchmarks.faults.adapter import BILL
from benchmarks.faults.audit import Figures, Snapshot, held
from benchmarks.faults.corpus import PER_CHUNK, Change, corpus, lose, write
from benchmarks.faults.inject import CALLS, ORDER, POINTS
from benchmarks.faults.nest import Forked, Nest
from benchmarks.faults.side import BEAT, SNAPSHOTS, STOP

RUN_SECONDS, READER_SECONDS, LONGEST_OUTPUT = 180, 60, 600
HOWS = ("raise", "kill")


class About(TypedDict):
    """What `side about` tells of a system."""

    title: str
    setup: str
    store: str
    state: list[str]
    loads: list[str]
    versions: dict[str, str]


@dataclass(frozen=True)
class System:
    """A system that is there, and where its processes come from."""

    name: str
    about: About
    nest: Nest

    def start(self, folder: Path, log: str, *work: str) -> Forked:
        return self.nest.start(work, folder, folder / log)


@dataclass(frozen=True)
class Run:
    """How a run ended: its exit code (negative: the signal), and what it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class Cell:
    """A scenario, or a fault at a point during a plain update; `call`: which call it strikes."""

    scenario: str
    point: str = ""
    how: str = ""
    call: int = 0

    @property
    def title(self) -> str:
        return f"{self.how} at {self.point}" if self.point else self.scenario


@dataclass(frozen=True)
class Result:
    """What came of a cell; without figures where the system has no such step. `codes`: the exit
    codes of both runs; `output`: the ends of what they printed; `errors`: of the reader.
    """

    cell: Cell
    figures: Figures | None
    calls: Mapping[str, int] = field(default_factory=dict)
    codes: tuple[int, ...] = ()
    output: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    seconds: float = 0.0


class NotStruck(RuntimeError):
    """The run never came to the call at which the fault was to strike."""


def index(system: System, folder: Path, size: int) -> None:
    """An indexed corpus, of which each cell gets a copy. Raises RuntimeError where the system
    cannot index without any fault.
    """
    folder.mkdir(parents=True)
    write(folder / "docs", corpus(size))
    ended = run(system, folder, PER_CHUNK)
    if ended.code:
        raise RuntimeError(f"{system.name} cannot index the corpus: {ended.output[-3000:]}")


def run(system: System, folder: Path, per_chunk: int, name: str = "run") -> Run:
    """One plain run in a process of its own."""
    (folder / CALLS).unlink(missing_ok=True)
    process = system.start(folder, f"{name}.log", "run", str(per_chunk))
    code = process.wait(RUN_SECONDS)
    return Run(code, process.log.read_text(errors="replace"))


@contextmanager
def reading(system: System, folder: Path) -> Iterator[Callable[[], float]]:
    """A reader that searches without pause, from its first search on. Yields a function that waits
    until a search is over that began after its call, and returns when that began.
    """
    process = system.start(folder, "reader.log", "read")
    try:
        searched(folder, process)
        yield partial(searched, folder, process)
    finally:
        (folder / STOP).touch()
        process.wait(READER_SECONDS)


def searched(folder: Path, process: Forked) -> float:
    """Raises RuntimeError where the reader is gone or stands still."""
    now, until = time.time(), time.monotonic() + READER_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if (folder / BEAT).exists() and (began := float((folder / BEAT).read_text())) > now:
            return began
        time.sleep(0.01)
    raise RuntimeError(f"the reader is gone: {process.log.read_text()[-3000:]}")


def measure(system: System, template: Path, folder: Path, cell: Cell, change: Change) -> Result:
    """Raises NotStruck; the folder is left behind."""
    shutil.copytree(template, folder)
    clock, paid = time.perf_counter(), bill(folder)
    with reading(system, folder) as looked:
        begin(system, folder, cell, change)
        since = time.time()
        first = run(system, folder, change.per_chunk)
        calls = Counter(lines(folder / CALLS))
        if (folder / ORDER).exists():
            raise NotStruck(f"{system.name} made {dict(calls)}; ordered: {cell}")
        between = looked()
        if not change.refused:
            write(folder / "docs", change.right)
        second = run(system, folder, change.per_chunk, "rerun")
        ended = looked()
    taken = audit.snapshots(folder / SNAPSHOTS)
    seen = [at(taken, since), *(each for each in taken if each.at > since)]
    ends = ((first, at(taken, between)), (second, at(taken, ended)))
    again = audit.paid_again(paid, bill(folder)[len(paid) :])
    return Result(
        cell=cell,
        figures=figures(change, seen, ends, again),
        calls=dict(calls),
        codes=(first.code, second.code),
        output=tuple(each.output[-LONGEST_OUTPUT:] for each in (first, second)),
        errors=tuple(sorted({each.error for each in seen if each.error})),
        seconds=round(time.perf_counter() - clock, 2),
    )


def begin(system: System, folder: Path, cell: Cell, change: Change) -> None:
    """What has happened before the run, and what is ordered for it."""
    write(folder / "docs", change.shown)
    if change.loses:
        about = system.about
        lose(folder, [about["store"]] if change.loses == "store" else about["state"])
    if cell.point:
        order = {"point": cell.point, "how": cell.how, "call": cell.call}
        (folder / ORDER).write_text(json.dumps(order))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def bill(folder: Path) -> list[str]:
    return [json.loads(line) for line in lines(folder / BILL)]


def at(taken: Sequence[Snapshot], moment: float) -> Snapshot:
    """What the search found that began at the moment: a snapshot is written down when it is another
    than the one before.
    """
    return [each for each in taken if each.at <= moment][-1]


def figures(
    change: Change, seen: Sequence[Snapshot], ends: Sequence[tuple[Run, Snapshot]], again: int
) -> Figures:
    """`seen`: what was found from the fault on, `ends`: the runs with what was found after each."""
    counted, after = change.loses != "store", [held(each.rows, change) for _, each in ends]
    gone = frozenset().union(*(each.lost for each in after))
    silent = sum(
        ended.code == 0 and not all(uri in ended.output for uri in each.wrong)
        for (ended, _), each in zip(ends, after, strict=True)
    )
    return Figures(
        lost=len(after[-1].lost),
        stale=len(after[-1].stale),
        least_share=min(audit.share(each.rows, change) for each in seen) if counted else None,
        mixed=max(audit.mixed(each.rows, change) for each in seen),
        paid_again=again,
        wrong_deletions=len(gone & change.stays) if counted else 0,
        silent=silent,
    )


def middle(calls: int) -> int:
    """The call in the middle: of two, the second."""
    return calls // 2 + 1


def crashes() -> list[Cell]:
    return [Cell("plain update", point, how) for how in HOWS for point in POINTS]
