"""Configs that change while `up` runs: what is scheduled is registered anew, and said."""

import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from llmops.deployments.project import yaml_files

EVERY_SECONDS = 2.0
LONGEST_PAUSE = 60.0
SHARE = 0.02  # of the time that looking may take, however many files there are
Seen = dict[str, tuple[int, int]]


def configs_seen(folder: Path, home: Path) -> Seen:
    """The YAML files of a project that say `flow:`, with time of change and size; `.env` too. What
    is passed over when configs are read is not looked at either.
    """
    seen: Seen = {}
    for file in yaml_files(folder, home):
        _note(seen, file, only_configs=True)
    _note(seen, folder / ".env", only_configs=False)
    return seen


def _note(seen: Seen, file: Path, *, only_configs: bool) -> None:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return  # a fifo would wait for somebody to write
        if only_configs and b"flow" not in file.read_bytes()[:100_000]:
            return
    except OSError:
        return
    seen[str(file)] = (found.st_mtime_ns, found.st_size)


class Watch:
    """Looks every `every` seconds in a thread of its own; `changed` is told which files have
    changed, each once it has been left alone from one look to the next, and with them those of
    earlier calls that are not done. Where it returns False it is called again, without any that
    have changed, after pauses that grow to LONGEST_PAUSE.
    """

    def __init__(
        self,
        look: Callable[[], Seen],
        changed: Callable[[list[str], list[str]], bool],
        every: float,
    ) -> None:
        self._look, self._changed, self._every = look, changed, every
        self._done = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        self._done.set()

    def _run(self) -> None:
        last = self._look()
        known = dict(last)
        undone, again, retry = set[str](), 0.0, self._every
        pause = self._every
        while not self._done.wait(pause):
            began = time.monotonic()
            now = self._look()
            pause = max(self._every, (time.monotonic() - began) / SHARE)
            changed = {file for file, _ in now.items() ^ known.items()}
            quiet = {file for file in changed if now.get(file) == last.get(file)}
            last = now
            if not quiet and not (undone and time.monotonic() >= again):
                continue
            kept = {file: seen for file, seen in known.items() if file not in quiet}
            known = kept | {file: now[file] for file in quiet if file in now}
            undone |= quiet
            if self._changed(sorted(quiet), sorted(undone)):
                undone, retry = set(), self._every
            else:
                again, retry = time.monotonic() + retry, min(2 * retry, LONGEST_PAUSE)
