"""From the spool to MLflow, a batch at a time: an entry goes only after it was read back.

A server that does not answer costs no trace anything. One that answers, and takes others, and not
this one, has TRIES attempts: then the trace is set aside, and the others go on.
"""

import contextlib
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import apply
from llmops.tasks.traces.otlp import OtlpExporter
from llmops.tasks.traces.records import as_record
from llmops.tasks.traces.reviewed import assess, unassessed
from llmops.tasks.traces.spool import SpoolEntry, TraceSpool
from llmops.tasks.traces.trace import Trace
from llmops.tasks.tracking.traces import (
    MlflowFailing,
    Stored,
    TraceRefused,
    TraceStore,
    trace_store,
)

BATCH = 50
TRIES = 5
PATIENCE = (0.5, 30.0)
"""Seconds between attempts while MLflow takes nothing: doubled from the first to the last."""
LOOK_SECONDS, IDLE_SECONDS, CLOSE_SECONDS = 5.0, 10.0, 5.0
"""How often the spool is looked at where nobody says that there is something; how long MLflow's
connections are kept without use; how long the last batches may take.
"""
Tell = Callable[[str], None]
"""Told after each batch what is wrong, "" for nothing."""
SUSPECTS = 5
"""So many traces alone are tried where a batch failed, before it is the server that fails."""


class SpoolSender:
    """Sends what waits in a spool, and what a full disk left in memory. Used by one thread."""

    def __init__(
        self, home: Path, spool: TraceSpool, memory: deque[Trace], otlp: OtlpExporter | None = None
    ) -> None:
        self.home, self.spool, self.memory, self._otlp = home, spool, memory, otlp
        self.stored = self.given_up = 0
        self._taken: list[str] = []
        self._tries = Counter[str]()
        self._store: TraceStore | None = None
        self._closing = contextlib.ExitStack()

    def send(self) -> int:
        """One batch. Returns how many are done with; 0: nothing waits, or another process sends.
        Raises LlmopsError where MLflow does not take them now: everything stays where it is.
        """
        done = self._send_memory() if self.memory else 0
        with self.spool.sending() as mine:
            if mine and (entries := self.spool.oldest(BATCH)):
                done += self._send(entries)
            if mine:
                done += self._rate()
        return done

    def counts(self) -> dict[str, int]:
        """What has come of the traces so far."""
        return {
            "stored": self.stored,
            "set_aside": self.given_up + self.spool.set_aside,
            "not_exported": self._otlp.failed if self._otlp else 0,
        }

    def taken(self) -> list[str]:
        """The ids of traces without a file that are done with since this was asked last."""
        taken, self._taken = self._taken, []
        return taken

    def close(self) -> None:
        """Let MLflow's connections go; the next batch opens new ones."""
        self._store = None
        self._closing.close()

    def _send_memory(self) -> int:
        """Entries without a file. They stay in memory until they are stored."""
        entries = [SpoolEntry(None, trace) for trace in list(self.memory)[:BATCH]]
        return self._send(entries)

    def _send(self, entries: Sequence[SpoolEntry]) -> int:
        gone = index.deleted(self.home, [entry.trace.id for entry in entries])
        self._forget([entry for entry in entries if entry.trace.id in gone])
        waiting = {entry.trace.id: entry for entry in entries if entry.trace.id not in gone}
        if not waiting:
            return len(entries)
        with self._opened() as store:
            stored = self._written(store, list(waiting.values()))
            late = index.mark_stored(self.home, stored.ids)
            store.delete(self.spool.app, sorted(late))
            kept = [waiting[each] for each in stored.ids]
            self._link(store, [entry.trace for entry in kept if entry.trace.id not in late])
        self._forget(kept)
        self.stored += len(kept) - len(late)
        if self._otlp:
            self._otlp.export([entry.trace for entry in kept if entry.trace.id not in late])
        self._suspect(waiting, stored)
        if not kept and stored.missing:
            raise Unavailable(
                f"MLflow took {len(stored.missing)} traces, and has none of them when they are "
                "read back"
            )
        return len(gone) + len(kept)

    def _written(self, store: TraceStore, entries: Sequence[SpoolEntry]) -> Stored:
        try:
            return store.write(self.spool.app, [as_record(entry.trace) for entry in entries])
        except MlflowFailing:
            if len(entries) == 1:
                raise
        return self._one_by_one(store, entries)

    def _one_by_one(self, store: TraceStore, entries: Sequence[SpoolEntry]) -> Stored:
        """Where a batch makes MLflow fail, a single trace may be what it fails at."""
        stored, failed, missing = set[str](), dict[str, str](), set[str]()
        for entry in random.sample(list(entries), len(entries)):
            try:
                part = store.write(self.spool.app, [as_record(entry.trace)])
            except MlflowFailing as error:
                failed[entry.trace.id] = str(error)
                if not stored and len(failed) >= min(SUSPECTS, len(entries)):
                    raise
                continue
            stored |= part.ids
            missing |= part.missing
            failed |= part.refused
        return Stored(frozenset(stored), failed, frozenset(missing))

    def _suspect(self, waiting: dict[str, SpoolEntry], stored: Stored) -> None:
        """Count an attempt against what was refused, and what is missing while others are there."""
        suspects = set(stored.refused) | (set(stored.missing) if stored.ids else set())
        for trace_id in suspects:
            self._tries[trace_id] += 1
            if self._tries[trace_id] >= TRIES:
                entry = waiting[trace_id]
                if entry.path is not None:
                    self.spool.put_aside(entry.path)
                else:
                    self.given_up += 1
                self._forget([entry])

    def _forget(self, entries: Sequence[SpoolEntry]) -> None:
        self.spool.drop([entry.path for entry in entries if entry.path is not None])
        for entry in entries:
            self._tries.pop(entry.trace.id, None)
            if entry.path is None:
                self._taken.append(entry.trace.id)
                with contextlib.suppress(ValueError):  # pushed out by newer ones meanwhile
                    self.memory.remove(entry.trace)

    def _link(self, store: TraceStore, traces: Sequence[Trace]) -> None:
        for trace in traces:
            name, _, version = trace.tags.get("prompt", "").removeprefix("prompts:/").partition("/")
            if name and version.isdecimal():
                with contextlib.suppress(TraceRefused):  # the prompt is not in this registry
                    store.link_prompt(trace.id, name, int(version))

    def _rate(self) -> int:
        waiting = index.unrated(self.home, self.spool.app)
        reviewed = unassessed(self.home, self.spool.app)
        if not waiting and not reviewed:
            return 0
        with self._opened() as store:
            return apply(self.home, store, waiting) + assess(self.home, store, reviewed)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[TraceStore]:
        """MLflow, imported and opened at the first use; closed where it fails."""
        try:
            if self._store is None:
                self._store = self._closing.enter_context(trace_store(self.home))
            yield self._store
        except LlmopsError:
            self.close()
            raise


def keep_sending(
    sender: SpoolSender, wake: threading.Event, closing: threading.Event, tell: Tell
) -> None:
    """Send until `closing`, and then what can be sent within CLOSE_SECONDS."""
    patience, used, deadline = PATIENCE[0], time.monotonic(), float("inf")
    while time.monotonic() < deadline:
        last = closing.is_set()
        deadline = min(deadline, time.monotonic() + CLOSE_SECONDS) if last else deadline
        try:
            done = sender.send()
        except Exception as error:  # noqa: BLE001 - whatever it is, what waits is tried again
            sender.close()
            tell(str(error)[:500] or repr(error)[:500])
            if last:
                break
            closing.wait(patience)
            patience = min(2 * patience, PATIENCE[1])
            continue
        patience = PATIENCE[0]
        if done:
            used = time.monotonic()
            tell("")
        elif last:
            break
        else:
            if time.monotonic() - used > IDLE_SECONDS:
                sender.close()
            wake.wait(LOOK_SECONDS)
            wake.clear()
    sender.close()
