"""One part of `up`, kept running: started, asked how it is, started again when it ends or answers
no more, each time after a longer pause; after a while in health the pause is short again.
"""

import contextlib
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmops.deployments.up.logs import Logs
from llmops.deployments.up.processes import MARK, PART, Known, alive, end_marked, known
from llmops.tasks.errors import ConfigError, LlmopsError


@dataclass(frozen=True)
class RestartPolicy:
    """Seconds: between two questions, for a start, of silence before a part is ended, the first and
    the longest pause before another start, of health until a pause is short again, for all to end,
    and of that for flow runs. `tries`: starts of a part that never came up.
    """

    check: float = 1.0
    start: float = 120.0
    silence: float = 30.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    stable: float = 60.0
    stop: float = 7.5
    cancel: float = 4.5
    tries: int = 5


def nobody() -> Known | None:
    return None


@dataclass(frozen=True)
class UpPart:
    """What is kept running.

    `command`: what is started, in `folder`, with `environment` beside that of `up`, `without` some
    of it; empty where the part belongs to the user, and is only asked. `answers`: whether it is
    well; asked again and again. `url`: where people go; `detail`: what is said beside it. `after`:
    parts that must be well before it starts. `before`: done before each start; LlmopsError counts
    as a start that failed, ConfigError ends `up`: no other start mends it. `there`: a process that
    runs already and does the part's work: it is attended, and not ended with `up`. `app`: a served
    application: it runs no flows, and where it does not come up, it is tried again and again, and
    the others go on. `waits`: what it waits for, though it is well; asked as often.
    """

    name: str
    command: tuple[str, ...]
    answers: Callable[[], bool]
    folder: Path
    url: str | None = None
    detail: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before: Callable[[], None] = lambda: None
    there: Callable[[], Known | None] = nobody
    app: bool = False
    waits: Callable[[], str] = lambda: ""


class Keeper:
    """Keeps a part running in a thread of its own, until `quiet` is set: from then on it starts
    nothing any more.
    """

    def __init__(
        self,
        part: UpPart,
        mark: str,
        logs: Logs,
        policy: RestartPolicy,
        changed: Callable[[], None],
    ) -> None:
        self.part, self.mark, self.logs, self.policy = part, mark, logs, policy
        self.changed = changed
        self.quiet = threading.Event()
        self.healthy, self.was_healthy = False, False
        self.waits = ""
        self.restarts, self.failed_starts = 0, 0
        self.process: Known | None = None
        self.hopeless: str | None = None
        self.mistaken: ConfigError | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._pause = policy.first_pause
        self._starting = threading.Lock()
        self._anew = threading.Event()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def adopted(self) -> bool:
        """Whether the process was there before `up`."""
        return self.process is not None and self._child is None

    def renew(self) -> None:
        """Start the part anew, in order: what it is at may end."""
        self._anew.set()

    def run(self, ready: Callable[[], bool]) -> None:
        """The life of the part. `ready`: whether the parts before it are well."""
        while not self.quiet.is_set():
            try:
                reason = self._turn(ready)
            except Exception as error:  # noqa: BLE001 - a thread that dies leaves its part well for ever
                reason = f"unexpected: {type(error).__name__}: {error}"
                self.logs.tell("up", traceback.format_exc().rstrip())
            if reason is not None and not self.quiet.is_set():
                self._clear()
                self._pause_after(reason)

    def _turn(self, ready: Callable[[], bool]) -> str | None:
        """Why the part has to be started again; None where there is nothing to start."""
        if not ready():
            self.quiet.wait(self.policy.check / 4)
        elif not self.part.command:
            self._see(self.part.answers())
            self.quiet.wait(self.policy.check)
        else:
            return self._live()
        return None

    def _live(self) -> str | None:
        """Start the part and attend it to its end. Returns why it ended, or has to be ended; None
        where it is to be started anew.
        """
        began = time.monotonic()
        try:
            self.part.before()
            with self._starting:
                if self.quiet.is_set():
                    return "stopped"
                self.process = self.part.there()
                self._child = None if self.process else self._start()
        except ConfigError as error:
            self.mistaken = error
            self.quiet.set()
            return str(error)
        except LlmopsError as error:
            return str(error)
        except OSError as error:
            return f"{self.part.command[0]} cannot be started: {error.strerror or error}"
        self.changed()
        return self._attend(began)

    def _start(self) -> "subprocess.Popen[bytes]":
        given = {key: value for key, value in os.environ.items() if key not in self.part.without}
        marks = {MARK: self.mark, PART: self.part.name}
        child = subprocess.Popen(
            self.part.command,
            cwd=self.part.folder,
            env={**given, **self.part.environment, **marks},
            stdin=subprocess.PIPE,  # the tether: it ends when `up` does
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for `up`, which ends its parts in order
        )
        self.process = known(child.pid) or Known(child.pid, time.time())
        if child.stdout is not None:
            self.logs.follow(self.part.name, child.stdout)
        return child

    def _attend(self, began: float) -> str | None:
        well_since, heard = 0.0, began
        while not self.quiet.is_set():
            if self._anew.is_set():
                self._anew.clear()
                self._end_for_another()
                return None
            if (ended := self._ended()) is not None:
                return ended
            now, well = time.monotonic(), self.part.answers()
            if well:
                self._note(self.part.waits())
                heard = time.monotonic()
                well_since = well_since or now
                self._arrived(now - began)
                if now - well_since >= self.policy.stable:
                    self._pause = self.policy.first_pause
            elif now - heard > (self.policy.silence if well_since else self.policy.start):
                return f"no answer for {now - heard:.0f} s"
            self._see(well)
            self._wait(well)
        return "stopped"

    def _end_for_another(self) -> None:
        if (child := self._child) is not None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(self.policy.stop)
        self._clear()

    def _ended(self) -> str | None:
        if self._child is None:
            gone = self.process is None or not alive(self.process)
            return "the server that ran before `up` has ended" if gone else None
        code = self._child.poll()
        if code is None:
            return None
        return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def _wait(self, well: bool) -> None:
        """Until the next question; the end of the process is noticed at once."""
        pause = self.policy.check if well else self.policy.check / 4
        if self._child is None:
            self.quiet.wait(pause)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(pause)

    def _arrived(self, seconds: float) -> None:
        if not self.healthy and self.restarts:
            self.logs.tell("up", f"{self.part.name} answers {seconds:.1f} s after its start")
        self.failed_starts = 0

    def _note(self, waits: str) -> None:
        if waits != self.waits:
            said = waits or "waits no longer"
            self.waits = waits
            self.logs.tell("up", f"{self.part.name}: {said}")
            self.changed()

    def _see(self, well: bool) -> None:
        self.was_healthy = self.was_healthy or well
        if well != self.healthy:
            self.healthy = well
            self.changed()

    def _clear(self) -> None:
        """End what is left of the part, also what it had started itself."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            close(self._child)
        end_marked(self.mark, self.part.name)
        self.process = self._child = None
        self._see(False)

    def _pause_after(self, reason: str) -> None:
        self.failed_starts += not self.was_healthy
        said = " / ".join(self.logs.last(self.part.name, 2, only_errors=self.was_healthy))
        told = f"{self.part.name}: {reason}" + (f"; it said: {said}" if said else "")
        if self.failed_starts >= self.policy.tries and not self.part.app:
            self.hopeless = told
            self.quiet.set()
            self.changed()
            return
        self.restarts += 1
        again = "started" if self.part.command else "asked"
        self.logs.tell("up", f"{told}; it is {again} again in {self._pause:.0f} s")
        self.changed()
        self.quiet.wait(self._pause)
        self._pause = min(2 * self._pause, self.policy.longest_pause)

    def stop(self, seconds: float) -> None:
        """End the part: SIGTERM, `seconds` of patience, then SIGKILL. What was there before `up`
        stays; what the part itself has started is for `end_marked`.
        """
        self.quiet.set()
        with self._starting:
            child = self._child
        if child is not None:
            if seconds > 0 and child.poll() is None:
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(seconds)
            child.kill()
            child.wait()
            close(child)
        self._see(False)

    def kill(self) -> None:
        """SIGKILL, at once; `stop` clears up."""
        if (child := self._child) is not None:
            child.kill()


def close(child: "subprocess.Popen[bytes]") -> None:
    """Let go of the tether; what the part still says is read to its end by the log."""
    with contextlib.suppress(OSError):
        if child.stdin is not None:
            child.stdin.close()
