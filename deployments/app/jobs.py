"""Builds and trainings that the page starts: each a process of its own, as the command starts one,
so that the application goes on answering and it outlives that. What becomes of one is in
`HOME/builds`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import psutil
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from llmops.tasks.audit.actor import ACTOR
from llmops.tasks.errors import Blocked, Mistake, UsageError
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.leases import busy, holder

JobKind = Literal["plan", "build", "train-plan", "train"]
KINDS: tuple[JobKind, ...] = get_args(JobKind)
TRAINING: tuple[JobKind, ...] = ("train-plan", "train")
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
MOST = 3
"""Processes that an application starts and has under way at once."""
LONGEST_REPLY = 20_000_000
LONGEST_LOG = 4_000


class BuildJob(BaseModel):
    """A process that was started. `name`: of the knowledge base that is built, or the data set that
    is trained on; `config`: the file; `who`: a pseudonym; `process_started`: tells it from a later
    process of the same id.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    kind: JobKind
    config: str
    pid: int
    process_started: float
    began: str
    who: str = ""

    @property
    def runs(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 1
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


class JobState(NamedTuple):
    """`reply`: the JSON object that the command printed; None while it runs, and where it ended
    without one: `log` has its last words.
    """

    job: BuildJob
    running: bool
    reply: Mapping[str, Any] | None = None
    log: str = ""

    @property
    def outcome(self) -> Mapping[str, Any]:
        """What the build came to; empty where it came to none. A retry has one of its own."""
        builds = (self.reply or {}).get("builds") or [self.reply or {}]
        found: Mapping[str, Any] = builds[0] if isinstance(builds[0], dict) else {}
        return found if "status" in found and "error" not in found else {}

    @property
    def mistakes(self) -> list[Mistake]:
        """What the command complained of."""
        reply = self.reply or {}
        told = reply.get("errors") or ([reply["error"]] if "error" in reply else [])
        return [Mistake(e["message"], e["where"] or "", e["hint"] or "", e["kind"]) for e in told]

    @property
    def status(self) -> str:
        """`running`, what the outcome says (`planned`, `published`, …), `refused` for a mistake,
        `lost` for a process that ended without a word.
        """
        if self.running:
            return "running"
        if self.reply is None:
            return "lost"
        return str(self.outcome.get("status") or "refused")


class BuildJobs:
    """The builds and trainings of a home that pages start. `folder`: where they run."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._folder = home, folder

    def plan(self, kb: str, config: Path, who: str = "") -> BuildJob:
        """List the sources and price the work. Raises Blocked where that runs already."""
        return self._start(kb, "plan", config, who, "index", str(config), "--plan")

    def build(self, kb: str, config: Path, who: str = "", *, deletes: bool = False) -> BuildJob:
        """Build the next version. `deletes`: vanished documents are retired, however many. Raises
        Blocked where a build runs already.
        """
        more = ("--allow-deletes",) if deletes else ()
        return self._start(kb, "build", config, who, "index", str(config), *more)

    def retry(self, kb: str, config: Path, items: list[str], who: str = "") -> BuildJob:
        """Try documents in quarantine again, by their ids. Raises Blocked as `build` does."""
        return self._start(kb, "build", config, who, "quarantine", "retry", *items)

    def train_plan(self, name: str, config: Path, who: str = "", *, trains: bool) -> BuildJob:
        """Count the rows that would be collected, and price what is trained on them. Raises Blocked
        where either runs already.
        """
        more = ("--train",) if trains else ()
        words = ("finetune", str(config), "--plan", *more)
        return self._start(name, "train-plan", config, who, *words)

    def train(self, name: str, config: Path, who: str = "", *, trains: bool) -> BuildJob:
        """Make the next version of a data set; `trains`: and train on it. Raises Blocked where
        either runs already.
        """
        more = ("--train",) if trains else ()
        return self._start(name, "train", config, who, "finetune", str(config), *more)

    def state(self, kb: str, kind: JobKind) -> JobState | None:
        """How the last one is doing, whoever started it and however long ago; None for none."""
        place = self._place(kb, kind)
        try:
            job = BuildJob.model_validate_json((place / "job.json").read_bytes())
        except (OSError, ValidationError):
            return None
        if job.runs:
            return JobState(job, running=True)
        return JobState(job, False, _reply(place / "reply.json"), _tail(place / "log"))

    def stop(self, kb: str, kind: JobKind) -> bool:
        """Ask the last one to end, as Ctrl-C does: nothing live changes, and the next one goes on
        where it stopped. False where none runs.
        """
        state = self.state(kb, kind)
        if state is None or not state.running:
            return False
        with suppress(ProcessLookupError):
            os.kill(state.job.pid, signal.SIGINT)
        return True

    def _place(self, kb: str, kind: JobKind) -> Path:
        return self._home / "builds" / checked_name(kb) / kind

    def _start(self, kb: str, kind: JobKind, config: Path, who: str, *words: str) -> BuildJob:
        place = self._place(kb, kind)
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(self._home / "builds" / "lock"):
            self._room(kb, kind)
            for name in ("job.json", "reply.json", "log"):
                (place / name).unlink(missing_ok=True)
            process = self._process(place, who, *words)
            job = BuildJob(
                name=kb,
                kind=kind,
                config=str(config),
                pid=process.pid,
                process_started=psutil.Process(process.pid).create_time(),
                began=now().isoformat(),
                who=who,
            )
            write_atomically(place / "job.json", job.model_dump_json().encode())
        # somebody has to ask for its exit code, else it stays in the list of processes
        threading.Thread(target=process.wait, name=f"{kind} of {kb}", daemon=True).start()
        return job

    def _room(self, kb: str, kind: JobKind) -> None:
        who = holder(open_ledger(self._home), kb) if kind == "build" else None
        if who is not None:
            raise busy(kb, who)
        alike = TRAINING if kind in TRAINING else (kind,)
        if any(state.running for each in alike if (state := self.state(kb, each))):
            raise Blocked(f"it is running already, for {kb!r}", hint="wait for it to end", where=kb)
        found = [self._state_at(path) for path in (self._home / "builds").glob("*/*/job.json")]
        under_way = sum(each is not None and each.running for each in found)
        if under_way >= MOST:
            raise Blocked(
                f"{under_way} builds are under way, which is as many as may be at once",
                hint="wait for one to end",
            )

    def _state_at(self, path: Path) -> JobState | None:
        kind = next((each for each in KINDS if each == path.parent.name), None)
        return self.state(path.parent.parent.name, kind) if kind else None

    def _process(self, place: Path, who: str, *words: str) -> "subprocess.Popen[bytes]":
        acting = {ACTOR: who} if who else {}
        command = [sys.executable, "-P", "-m", "llmops.flows.cli", *words, "--json"]
        with (place / "reply.json").open("wb") as reply, (place / "log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=reply,
                stderr=log,
                env={**os.environ, "LLMOPS_HOME": str(self._home), **acting},
                start_new_session=True,
            )


def checked_name(kb: str) -> str:
    """The name of a knowledge base. Raises UsageError for what is none: it becomes a path."""
    if not NAME.fullmatch(kb):
        raise UsageError(f"{kb[:80]!r} is no name of a knowledge base", where="knowledge_base")
    return kb


def _reply(file: Path) -> Mapping[str, Any] | None:
    """The object in a file; None where there is none, or not a whole one."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(LONGEST_REPLY))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - LONGEST_LOG))
            return opened.read(LONGEST_LOG).decode("utf-8", "replace")
    except OSError:
        return ""
