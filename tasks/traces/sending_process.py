"""Sending in a process of its own: MLflow costs some milliseconds of CPU per trace, which requests
that are being answered would wait for.

`python -m llmops.tasks.traces.sending_process HOME APP` reads settings from its standard input,
then a line for each trace that the disk did not take, and empty ones to wake it; it ends with its
input. After each batch it prints what has come of it.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import LlmopsError
from llmops.tasks.traces import index
from llmops.tasks.traces.otlp import exporter_of
from llmops.tasks.traces.sending import CLOSE_SECONDS, LOOK_SECONDS, SpoolSender, Tell, keep_sending
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace

NICE = 10
START_SECONDS, AGAIN_SECONDS = 0.5, 2.0
"""Before the first, which waits for some traces more; before another, where one has ended."""


class SendingReport(BaseModel):
    """What a process has come to so far. `done`: ids of traces without a file that need not be kept
    any longer.
    """

    model_config = ConfigDict(frozen=True)
    stored: int = 0
    set_aside: int = 0
    not_exported: int = 0
    done: tuple[str, ...] = ()
    error: str = ""


class SendingProcess:
    """The other end of it, used by one thread of the writer. A process that ends is started
    again.
    """

    def __init__(self, home: Path, app: str, settings: TraceSettings, memory: deque[Trace]) -> None:
        self._home, self._app, self._settings, self._memory = home, app, settings, memory
        self._before = self._now = SendingReport()
        self.pid: int | None = None

    def counts(self) -> dict[str, int]:
        """What has come of the traces so far, over all processes."""
        names = ("stored", "set_aside", "not_exported")
        return {name: getattr(self._before, name) + getattr(self._now, name) for name in names}

    def run(self, wake: threading.Event, closing: threading.Event, tell: Tell) -> None:
        """Until `closing`, and then as long as the process takes to end. There is none before
        something is to be sent.
        """
        while True:
            while not self._wanted() and not closing.is_set():
                wake.wait(LOOK_SECONDS)
                wake.clear()
            if closing.wait(START_SECONDS) and not self._memory:
                return  # what waits is in the spool
            try:
                told = f"the process that sends traces ended with {self._ran(wake, closing, tell)}"
            except OSError as error:
                told = f"no process can be started that sends traces: {error.strerror or error}"
            if closing.is_set():
                return
            tell(told)
            closing.wait(AGAIN_SECONDS)

    def _wanted(self) -> bool:
        spool = TraceSpool(self._home, self._app, self._settings.spool_bytes)
        try:
            return bool(self._memory or spool.count() or index.unrated(self._home, self._app, 1))
        except LlmopsError:
            return True  # the process tells what is wrong with the ledger

    def _ran(self, wake: threading.Event, closing: threading.Event, tell: Tell) -> int:
        """One process from its start to its end. Returns its exit code."""
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._home), self._app],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt at the terminal is not meant for it
        )
        self.pid = process.pid
        reader = threading.Thread(target=self._read, args=(process, tell), daemon=True)
        reader.start()
        self._feed(process, wake, closing)
        _end(process)
        reader.join()
        if process.stdout is not None:
            process.stdout.close()
        self._before, self._now = SendingReport.model_validate(self.counts()), SendingReport()
        return process.returncode

    def _feed(
        self, process: "subprocess.Popen[str]", wake: threading.Event, closing: threading.Event
    ) -> None:
        handed = set[str]()
        with contextlib.suppress(OSError):  # it has ended
            self._write(process, self._settings.model_dump_json())
            while process.poll() is None:
                waiting = {trace.id: trace for trace in list(self._memory)}
                for trace_id in waiting.keys() - handed:
                    self._write(process, waiting[trace_id].model_dump_json())
                handed = set(waiting)
                self._write(process, "")
                if closing.is_set():
                    break
                wake.wait(LOOK_SECONDS)
                wake.clear()

    def _write(self, process: "subprocess.Popen[str]", line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()

    def _read(self, process: "subprocess.Popen[str]", tell: Tell) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._now = SendingReport.model_validate_json(line)
            done = set(self._now.done)
            for trace in [each for each in list(self._memory) if each.id in done]:
                with contextlib.suppress(ValueError):  # pushed out by newer ones meanwhile
                    self._memory.remove(trace)
            tell(self._now.error)


def _end(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(CLOSE_SECONDS + 1)
    except subprocess.TimeoutExpired:  # what it has not sent is in the spool
        process.kill()
        process.wait()


def main() -> None:
    """The process."""
    os.nice(NICE)
    home, app = Path(sys.argv[1]), sys.argv[2]
    settings = TraceSettings.model_validate_json(sys.stdin.readline())
    memory: deque[Trace] = deque(maxlen=settings.memory)
    spool = TraceSpool(home, app, settings.spool_bytes)
    sender = SpoolSender(home, spool, memory, exporter_of(settings))
    wake, closing = threading.Event(), threading.Event()
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no report

    def listen() -> None:
        for line in sys.stdin:
            if line.strip():
                memory.append(Trace.model_validate_json(line))
            wake.set()
        closing.set()
        wake.set()

    def tell(error: str) -> None:
        report = {**sender.counts(), "done": sender.taken(), "error": error}
        with contextlib.suppress(OSError):  # nobody listens any more
            reports.write(json.dumps(report) + "\n")
            reports.flush()

    threading.Thread(target=listen, daemon=True).start()
    keep_sending(sender, wake, closing, tell)


if __name__ == "__main__":
    main()
