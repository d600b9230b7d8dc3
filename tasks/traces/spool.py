"""Traces that wait for MLflow, on the disk: a file each, written whole or not at all, in
`HOME/spool/APP/`. What is there after a kill is taken up by the next start.

One process of a home sends at a time, by a lock that the system releases with the process.
"""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from pydantic import ValidationError

from llmops.tasks.errors import Unavailable
from llmops.tasks.traces.trace import Trace

FOLDER, ASIDE, DAMAGED = "spool", "aside", ".damaged"
ENTRY = ".json"
LOCK = "sending.lock"
STILL_SECONDS = 60.0


class SpoolFull(Exception):
    """There is no room: the bound is reached, or the disk takes no more."""


class SpoolEntry(NamedTuple):
    """A trace that waits, and its file; None: it waits in memory, the disk took no more."""

    path: Path | None
    trace: Trace


class TraceSpool:
    """The waiting traces of one application, at most `most_bytes` of them. Thread-safe: every
    operation is one of the file system's.
    """

    def __init__(self, home: Path, app: str, most_bytes: int) -> None:
        self.app, self.folder, self.most_bytes = app, home / FOLDER / app, most_bytes
        self._lock = FileLock(self.folder / LOCK)
        self._bytes: int | None = None
        self.set_aside = 0

    def put(self, trace: Trace) -> Path:
        """Write it. Raises SpoolFull."""
        content = trace.model_dump_json().encode()
        path = self.folder / f"{trace.began_ns:020d}-{trace.id}{ENTRY}"
        if self.bytes() + len(content) > self.most_bytes:
            self._bytes = None  # another process may have sent some: look again
            if self.bytes() + len(content) > self.most_bytes:
                raise SpoolFull(f"the spool holds {self.bytes():,} of {self.most_bytes:,} bytes")
        partial = path.with_suffix(f".{os.getpid()}.new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise SpoolFull(f"the disk does not take it: {error.strerror or error}") from error
        self._bytes = self.bytes() + len(content)
        return path

    def bytes(self, *, fresh: bool = False) -> int:
        """How many bytes wait, by this process's own count once it has looked; `fresh`: looked at
        again, since another process may have sent some.
        """
        if self._bytes is None or fresh:
            self._bytes = sum(size for _, size in _sizes(self._files()))
        return self._bytes

    def count(self) -> int:
        return len(self._files())

    def oldest(self, most: int) -> list[SpoolEntry]:
        """The entries that have waited longest. A damaged one is set aside: it stops no other."""
        entries: list[SpoolEntry] = []
        for path in self._files():
            if len(entries) == most:
                break
            entry = self._read(path)
            entries += [entry] if entry else []
        return entries

    def get(self, trace_id: str) -> Trace | None:
        """The trace while it waits."""
        for path in self._files():
            if path.name.endswith(f"-{trace_id}{ENTRY}"):
                entry = self._read(path)
                return entry.trace if entry else None
        return None

    def some(self, ids: Collection[str]) -> dict[str, Trace]:
        """Those of the traces that wait, by id."""
        mine = [path for path in self._files() if path.stem.partition("-")[2] in ids]
        entries = [entry for path in mine if (entry := self._read(path))]
        return {entry.trace.id: entry.trace for entry in entries}

    def ids(self) -> set[str]:
        """Of the traces that wait."""
        return {path.name.removesuffix(ENTRY).partition("-")[2] for path in self._files()}

    def drop(self, paths: Sequence[Path]) -> int:
        """Remove entries that are done with. Returns how many there were."""
        gone = 0
        for path in paths:
            with contextlib.suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                gone += 1
                self._bytes = max(0, self._bytes - size) if self._bytes is not None else None
        return gone

    def put_aside(self, path: Path) -> None:
        """Out of the way of the others, for a person to look at; it is sent no more."""
        aside = self.folder / ASIDE
        with contextlib.suppress(OSError):
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)
            self.set_aside += 1
        self._bytes = None

    @contextlib.contextmanager
    def sending(self, seconds: float = 0.0) -> Iterator[bool]:
        """Whether this process is the one that sends, for as long as the block lasts."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=seconds)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise SpoolFull(f"the spool cannot be used: {error.strerror or error}") from error
        try:
            yield True
        finally:
            self._lock.release()

    def _read(self, path: Path) -> SpoolEntry | None:
        try:
            return SpoolEntry(path, Trace.model_validate_json(path.read_bytes()))
        except FileNotFoundError:
            return None  # sent or deleted meanwhile
        except (ValidationError, ValueError, OSError):
            self.put_aside(path)
            return None

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob(f"*{ENTRY}"))
        except OSError:
            return []


def spools(home: Path) -> list[TraceSpool]:
    """Those of all applications of a home."""
    folder = home / FOLDER
    apps = (
        sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    )
    return [TraceSpool(home, app, 0) for app in apps]


def waiting(home: Path, trace_id: str) -> Trace | None:
    """A trace that no MLflow has yet."""
    return next((found for spool in spools(home) if (found := spool.get(trace_id))), None)


def waiting_ids(home: Path, app: str) -> set[str]:
    """The traces of an application that no MLflow has yet."""
    return TraceSpool(home, app, 0).ids()


def waiting_among(home: Path, ids: Collection[str]) -> dict[str, Trace]:
    """Those of the traces that no MLflow has yet, by id."""
    wanted = frozenset(ids)
    return {key: each for spool in spools(home) for key, each in spool.some(wanted).items()}


def holding(home: Path, texts: Sequence[str]) -> list[Path]:
    """Files of the spools that hold one of the texts, those that were set aside included."""
    found = []
    for path in sorted((home / FOLDER).rglob("*")) if (home / FOLDER).is_dir() else []:
        with contextlib.suppress(OSError):
            content = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            escaped = [json.dumps(text)[1:-1] for text in texts]
            if any(text in content for text in (*texts, *escaped)):
                found.append(path)
    return found


def _sizes(files: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    for path in files:
        with contextlib.suppress(OSError):
            yield path, path.stat().st_size


def unusable(home: Path) -> Unavailable:
    """What to tell somebody whose spool is in use by a process that does not let go."""
    return Unavailable(
        "another process is sending traces, and has not stopped for a minute",
        where=str(home / FOLDER),
        hint="wait for it, or end it",
    )


@contextlib.contextmanager
def standing_still(home: Path, seconds: float = STILL_SECONDS) -> Iterator[None]:
    """No trace goes from a spool of the home to MLflow for as long as the block lasts, so that
    whoever looks at both finds each. Raises Unavailable where one is being sent for longer.
    """
    with contextlib.ExitStack() as held:
        for folder in sorted((home / FOLDER).glob("*/")):
            lock = FileLock(folder / LOCK)
            try:
                lock.acquire(timeout=seconds)
            except Timeout as error:
                raise Unavailable(
                    f"traces of {folder.name} are being sent to MLflow, for more than "
                    f"{seconds:.0f} s",
                    hint="the same command again finishes it",
                ) from error
            held.callback(lock.release)
        yield
