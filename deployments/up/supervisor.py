"""All parts of `up` together: started, shown when they answer, and ended in order within ten
seconds: RestartPolicy.stop, and what a busy machine takes to look for what is left.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from llmops.deployments.up.keeper import Keeper, RestartPolicy, UpPart
from llmops.deployments.up.logs import Logs
from llmops.deployments.up.processes import end_marked
from llmops.deployments.up.record import PartRecord
from llmops.tasks.errors import Unavailable

WORK_SECONDS = 0.5


class Signals:
    """Ctrl-C and SIGTERM, counted: one asks for an end in order, two for one at once."""

    def __init__(self) -> None:
        self.count, self.first, self.second = 0, threading.Event(), threading.Event()

    @contextlib.contextmanager
    def listening(self) -> Iterator["Signals"]:
        """Take the place of the handlers that are there."""
        before = {each: signal.signal(each, self._come) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        (self.first if self.count == 1 else self.second).set()


class Supervisor:
    """Runs parts until a signal.

    `shown`: told of each part when it first answers. `changed`: told of the state of all whenever
    one changes. `cancel`: ends the flow runs within the seconds given, while their worker lives.
    `tick`: called about every second; `ending`: once, when a signal has come.
    """

    def __init__(
        self,
        parts: Sequence[UpPart],
        mark: str,
        logs: Logs,
        *,
        policy: RestartPolicy | None = None,
        shown: Callable[[PartRecord, UpPart], None] = lambda _record, _part: None,
        changed: Callable[[tuple[PartRecord, ...]], None] = lambda _parts: None,
        cancel: Callable[[float, threading.Event], None] = lambda _seconds, _at_once: None,
        tick: Callable[[], None] = lambda: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self.logs, self.mark = logs, mark
        self._shown, self._changed = shown, changed
        self._cancel, self._tick, self._ending = cancel, tick, ending
        self._change, self._told = threading.Event(), set[str]()
        self._policy = policy or RestartPolicy()
        self.keepers = [Keeper(part, mark, logs, self._policy, self._change.set) for part in parts]
        self._by_name = {keeper.part.name: keeper for keeper in self.keepers}

    def run(self, signals: Signals) -> bool:
        """Until a signal. Returns whether everything ended in order. Raises Unavailable where a
        part does not come up at all, and ConfigError where a part finds that the configs cannot be
        used, after the others have ended.
        """
        threads = [
            threading.Thread(target=keeper.run, args=(self._ready(keeper),), daemon=True)
            for keeper in self.keepers
        ]
        for thread in threads:
            thread.start()
        try:
            hopeless = self._attend(signals)
            if signals.first.is_set():
                self._ending()
        finally:
            self.stop(signals.second)
        if hopeless:
            raise Unavailable(
                f"a part does not come up. {hopeless}",
                where=str(self.logs.folder),
                hint="the whole log is there; correct what it names and start `llmops up` again",
            )
        return not signals.second.is_set()

    def _ready(self, keeper: Keeper) -> Callable[[], bool]:
        return lambda: all(self._by_name[name].healthy for name in keeper.part.after)

    def _attend(self, signals: Signals) -> str | None:
        last_tick = time.monotonic()
        while not signals.first.is_set():
            if self._change.is_set():
                self._change.clear()
                self._tell()
            for keeper in self.keepers:
                if keeper.mistaken:
                    raise keeper.mistaken
                if keeper.hopeless:
                    return keeper.hopeless
            if time.monotonic() - last_tick >= 1:
                self._tick()
                last_tick = time.monotonic()
            signals.first.wait(0.1)
        return None

    def _tell(self) -> None:
        records = self.records()
        for record, keeper in zip(records, self.keepers, strict=True):
            if record.healthy and record.name not in self._told:
                self._told.add(record.name)
                self._shown(record, keeper.part)
        self._changed(records)

    def renew(self, name: str) -> None:
        """Start a part anew, in order."""
        self._by_name[name].renew()

    def records(self) -> tuple[PartRecord, ...]:
        return tuple(
            PartRecord(
                name=keeper.part.name,
                url=keeper.part.url,
                healthy=keeper.healthy,
                pid=keeper.pid,
                created=keeper.process.created if keeper.process else None,
                restarts=keeper.restarts,
                yours=not keeper.part.command,
                waits=keeper.waits,
            )
            for keeper in self.keepers
        )

    def stop(self, at_once: threading.Event) -> None:
        """End everything: flow runs, then the parts in the reverse of their order, servers last.
        Whoever sets `at_once` meanwhile gets SIGKILL for all that is left.
        """
        deadline = time.monotonic() + self._policy.stop
        for keeper in self.keepers:
            keeper.quiet.set()
        workers = [each for each in self.keepers if each.part.after and not each.part.app]
        servers = [each for each in self.keepers if each not in workers]
        if not at_once.is_set() and any(keeper.was_healthy for keeper in workers):
            self._cancel(self._policy.cancel, at_once)
        self._end(workers, WORK_SECONDS, at_once)
        self._end(servers, max(0.5, deadline - time.monotonic()), at_once)
        end_marked(self.mark)
        self._changed(self.records())

    def _end(self, keepers: Sequence[Keeper], seconds: float, at_once: threading.Event) -> None:
        threads = [
            threading.Thread(
                target=keeper.stop, args=(0 if at_once.is_set() else seconds,), daemon=True
            )
            for keeper in keepers
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if at_once.is_set():
                for keeper in keepers:
                    keeper.kill()
            time.sleep(0.02)
