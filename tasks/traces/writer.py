"""Brings traces to MLflow beside the requests, over a bounded queue in memory and the spool on the
disk.

`put` only remembers the trace. A thread masks it, enters it in the ledger and spools it; a process
of its own, the only one that imports MLflow, sends what the spool holds.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import OrderedDict, deque
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llmops.tasks.traces import clicks, feedback, index
from llmops.tasks.traces.feedback import Recorded
from llmops.tasks.traces.masking import bounded, masked
from llmops.tasks.traces.otlp import exporter_of
from llmops.tasks.traces.sending import CLOSE_SECONDS, LOOK_SECONDS, SpoolSender, keep_sending
from llmops.tasks.traces.sending_process import SendingProcess
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.spool import SpoolFull, TraceSpool
from llmops.tasks.traces.trace import COMPARED, SEARCHED, Trace, TraceRecorder

logger = logging.getLogger(__name__)
REMEMBERED = 500
"""Traces outside the sample that are remembered for a while, should they get a thumb down."""


class WriterState(BaseModel):
    """`queued`: in memory, before the spool; `in_memory`: those that the disk did not take;
    `spooled`: wait on the disk; `dropped`: lost, as neither took them.
    """

    model_config = ConfigDict(frozen=True)
    queued: int
    in_memory: int
    spooled: int
    spool_bytes: int
    stored: int
    dropped: int
    set_aside: int
    not_exported: int
    last_error: str


class TraceWriter:
    """Use as `async with TraceWriter(home, app, settings) as writer`, or `start` and `close`.
    `apart`: whether MLflow gets a process of its own; else a thread of this one sends.
    """

    def __init__(
        self, home: Path, app: str, settings: TraceSettings | None = None, *, apart: bool = True
    ) -> None:
        self.home, self.app, self.settings = home, app, settings or TraceSettings()
        self._queue: deque[Trace] = deque()
        self._memory: deque[Trace] = deque()
        self._unentered: deque[Trace] = deque(maxlen=self.settings.memory)
        self._begun: OrderedDict[str, Trace] = OrderedDict()
        self._outside: OrderedDict[str, Trace] = OrderedDict()
        self._wanted: set[str] = set()
        self._lock = threading.Lock()
        self._spool = TraceSpool(home, app, self.settings.spool_bytes)
        otlp = exporter_of(self.settings)  # raises here where a secret of it is not set
        self._sender: SpoolSender | SendingProcess = (
            SendingProcess(home, app, self.settings, self._memory)
            if apart
            else SpoolSender(home, self._spool, self._memory, otlp)
        )
        self._dropped = 0
        self._last_error = ""
        self._told: set[str] = set()
        self._closing = threading.Event()
        self._arrived, self._spooled = threading.Event(), threading.Event()
        self._busy = threading.Lock()
        self._threads: list[threading.Thread] = []

    async def __aenter__(self) -> "TraceWriter":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def start(self) -> None:
        for work in (self._keep, self._send):
            thread = threading.Thread(target=work, name=f"traces {work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._spooled.set()  # what an earlier process left

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Spool what is in memory, and send what can be sent within the time; the rest waits on the
        disk for the next start.
        """
        deadline = time.monotonic() + seconds + 2.0
        self._closing.set()
        self._arrived.set()
        self._spooled.set()
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        if self._queue or self._unentered:
            self._take()
        self._threads.clear()

    def begin(self, recorder: TraceRecorder) -> None:
        """A request began whose id may be rated before it has ended."""
        open_trace = Trace(
            id=recorder.id,
            app=recorder.app,
            conversation=recorder.conversation,
            person=recorder.person,
            key_id=recorder.key_id,
            began_ns=recorder.began_ns,
            ended_ns=recorder.began_ns,
            status="open",
        )
        self._remember(open_trace)

    def put(self, trace: Trace) -> None:
        """Take a finished trace. Never waits, never raises."""
        self._remember(trace)
        self._queue.append(trace)
        if len(self._queue) > self.settings.memory:
            with contextlib.suppress(IndexError):
                self._queue.popleft()
                self._lost("more traces come than can be kept")
        self._arrived.set()

    def feedback(
        self, trace_id: str, person: str, said: feedback.Feedback, key_id: str = ""
    ) -> Recorded:
        """Rate a trace of this application, also one that is not stored or not even finished. It
        writes to the ledger: call it in a thread. Raises UsageError as `feedback.rate` does.
        """
        self.enter(trace_id)
        recorded = feedback.rate(self.home, trace_id, person, said, key_id=key_id, app=self.app)
        if said.rating == "down":
            self._keep_anyway(trace_id)
        self._spooled.set()
        return recorded

    def opened(
        self, trace_id: str, person: str, chunk_id: str, version: int
    ) -> Recorded | Literal["ignored"]:
        """Note that somebody opened a passage of an answer; nothing where traces keep no content,
        as nothing could be learnt from it then. It writes to the ledger: call it in a thread.
        Raises UsageError as `clicks.opened` does.
        """
        if not self.settings.content:
            return "ignored"
        self.enter(trace_id)
        return clicks.opened(self.home, trace_id, person, chunk_id, version, self.app)

    def enter(self, trace_id: str) -> None:
        """Have a trace that has begun in the ledger at once, for what refers to it there. It writes
        to the ledger: call it in a thread.
        """
        with self._lock:
            unentered = self._begun.get(trace_id)
        if unentered is not None:
            index.enter(self.home, [unentered])

    def keep(self, trace_id: str) -> None:
        """Keep a trace whatever the sample says: somebody is to look at it."""
        self._keep_anyway(trace_id)
        self._spooled.set()

    def state(self) -> WriterState:
        """For /ready and /metrics."""
        return WriterState(
            queued=len(self._queue),
            in_memory=len(self._memory),
            spooled=self._spool.count(),
            spool_bytes=self._spool.bytes(fresh=True),
            dropped=self._dropped,
            **self._sender.counts(),
            last_error=self._last_error,
        )

    def flush(self, seconds: float) -> bool:
        """Wait until MLflow has everything. Returns whether it has: False says that some wait."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._busy:
                waiting = self._queue or self._memory or self._spool.count()
            if not waiting and not index.unrated(self.home, self.app, 1):
                return True
            self._arrived.set()
            self._spooled.set()
            time.sleep(0.05)
        return False

    def _remember(self, trace: Trace) -> None:
        """Its id is valid from now on, whether the ledger has it or not."""
        with self._lock:
            self._begun[trace.id] = trace
            if len(self._begun) > 10 * self.settings.memory:
                self._begun.popitem(last=False)

    def _keep(self) -> None:
        while not self._closing.is_set():
            self._arrived.wait(LOOK_SECONDS)
            self._arrived.clear()
            self._take()
        self._take()

    def _take(self) -> None:
        """Everything that was put so far: into the ledger, and what is kept into the spool."""
        with self._busy:
            taken: list[Trace] = []
            while self._queue:
                taken.append(self._queue.popleft())
            if not taken and not self._unentered:
                return
            self._enter(taken)
            for trace in taken:
                try:
                    self._keep_one(trace)
                except Exception as error:  # noqa: BLE001 - one trace may not stop all later ones
                    self._lost(f"a trace cannot be kept ({error!r:.200})")
        self._spooled.set()

    def _enter(self, taken: list[Trace]) -> None:
        """The ledger first: an id is valid for feedback from then on."""
        waiting = [*self._unentered, *taken]
        self._unentered.clear()
        try:
            index.enter(self.home, waiting)
        except Exception as error:  # noqa: BLE001 - traces go on without their rows, which follow
            self._unentered.extend(waiting)
            self._failed("the ledger does not take traces", error)
        with self._lock:
            for trace in waiting:
                self._begun.pop(trace.id, None)

    def _keep_one(self, trace: Trace) -> None:
        if not self._sampled(trace):
            with self._lock:
                self._outside[trace.id] = trace
                if len(self._outside) > REMEMBERED:
                    self._outside.popitem(last=False)
            return
        kept = bounded(masked(trace, content=self.settings.content))
        try:
            self._spool.put(kept)
        except SpoolFull as error:
            self._failed("traces stay in memory", error)
            self._memory.append(kept)
            if len(self._memory) > self.settings.memory:
                self._memory.popleft()
                self._lost("neither the disk nor MLflow takes traces")

    def _sampled(self, trace: Trace) -> bool:
        with self._lock:
            if trace.id in self._wanted:
                self._wanted.discard(trace.id)
                return True
        usual = ("ok", SEARCHED, COMPARED)
        return trace.status not in usual or sampled(trace.id, self.settings.share)

    def _keep_anyway(self, trace_id: str) -> None:
        """A thumb down, or a person is wanted: it is kept, also outside the sample."""
        with self._lock:
            trace = self._outside.pop(trace_id, None)
            if trace is None and not sampled(trace_id, self.settings.share):
                self._wanted.add(trace_id)
                if len(self._wanted) > REMEMBERED:
                    self._wanted.pop()
            elif trace is not None:
                self._wanted.add(trace_id)
        if trace is not None:
            self.put(trace)

    def _send(self) -> None:
        if isinstance(self._sender, SendingProcess):
            self._sender.run(self._spooled, self._closing, self._told_by_sender)
        else:
            keep_sending(self._sender, self._spooled, self._closing, self._told_by_sender)

    def _told_by_sender(self, error: str) -> None:
        if error:
            self._failed("MLflow does not take traces", error)
        else:
            self._last_error = ""
            self._told.clear()

    def _lost(self, why: str) -> None:
        self._dropped += 1
        if why not in self._told:
            self._told.add(why)
            logger.error("%s: the oldest are dropped, see the count in /metrics", why)

    def _failed(self, what: str, error: Exception | str) -> None:
        self._last_error = f"{what}: {error}"[:500]
        if what not in self._told:
            self._told.add(what)
            logger.warning("%s: %s", what, error)


def sampled(trace_id: str, share: float) -> bool:
    """Whether a trace is in a sample: the same for an id, whoever asks."""
    return int(trace_id.removeprefix("tr-")[:8], 16) < share * 2**32
