"""Where backups lie: `sets/ID.json`, and every file once as `objects/AB/SHA256`."""

import time
from contextlib import suppress
from pathlib import Path

from llmops.tasks.errors import Damaged, LlmopsError, Unavailable, UsageError, disk_trouble
from llmops.tasks.lake import Folder, storage_at
from llmops.tasks.maintenance.backup.sets import BackupFile, BackupSet, read_set

SETS, GONE, OBJECTS = "sets", "gone", "objects"
OTHERS = 0o077
UNUSED_SECONDS = 86_400.0
"""What no set names stays so long: another backup that goes on may need it."""


class Vault:
    """A folder, or a URL that fsspec writes. Its methods raise Unavailable where it does not answer
    or is full.
    """

    def __init__(self, place: str) -> None:
        if not place.strip():
            raise UsageError("the place of backups is empty", hint="name a folder or a URL")
        self.storage = storage_at(place, "backup", "DIR")

    def where(self, path: str = "") -> str:
        return self.storage.where(path)

    def ids(self) -> list[str]:
        """The sets that are whole, oldest first."""
        files = [file for file in self.storage.files(SETS) if not file.partial]
        return sorted(Path(file.path).stem for file in files if file.path.endswith(".json"))

    def read(self, chosen: str | None = None) -> BackupSet:
        """A set by its id, the newest without one. Raises UsageError where there is none,
        Damaged."""
        known = self.ids()
        if not known:
            raise UsageError(
                f"there is no backup at {self.where()}", hint="make one: llmops backup DIR"
            )
        if chosen is not None and chosen not in known:
            raise UsageError(
                f"there is no backup {chosen!r} at {self.where()}",
                hint=f"known: {', '.join(known[-5:])}",
            )
        path = f"{SETS}/{chosen or known[-1]}.json"
        return read_set(self.storage.read(path), self.where(path))

    def read_all(self) -> dict[str, BackupSet | None]:
        """All sets by their ids, oldest first; None for one that cannot be read."""
        known: dict[str, BackupSet | None] = {}
        for each in self.ids():
            path = f"{SETS}/{each}.json"
            with suppress(FileNotFoundError):  # another one's --keep was quicker
                known[each] = None
                with suppress(Damaged):
                    known[each] = read_set(self.storage.read(path), self.where(path))
        return known

    def homes(self) -> list[str]:
        """Where the homes lay that keep backups here, each home once, by its newest set."""
        known = {each.home_id or each.home: each.home for each in self.read_all().values() if each}
        named = {home for key, home in known.items() if key != home}
        return sorted(home for key, home in known.items() if key != home or home not in named)

    def write(self, made: BackupSet) -> None:
        """The set itself, last of all: until then there is no backup."""
        self.storage.write(f"{SETS}/{made.id}.json", made.written())

    def objects(self) -> dict[str, int]:
        """hash -> bytes of the files that are there."""
        files = [file for file in self.storage.files(OBJECTS) if not file.partial]
        return {Path(file.path).name: file.bytes for file in files}

    def reusable(self) -> dict[str, int]:
        """The same of those alone that no `prune` takes away while a backup goes on: what a set
        needs, or what was written lately.
        """
        late = time.time() - UNUSED_SECONDS / 2
        needed = set[str]()
        for each in self.ids():
            with suppress(Damaged):  # what it needs is written again
                needed |= {file.sha256 for file in self._said(SETS, each)}
        files = [file for file in self.storage.files(OBJECTS) if not file.partial]
        return {
            name: file.bytes
            for file in files
            if (name := Path(file.path).name) in needed or file.modified > late
        }

    def put(self, source: Path, digest: str) -> None:
        """In a folder of this machine, what its owner alone may read stays so."""
        self.storage.put(object_path(digest), source)
        if isinstance(self.storage, Folder) and not source.stat().st_mode & OTHERS:
            (self.storage.root / object_path(digest)).chmod(0o600)

    def fetch(self, file: BackupFile, target: Path) -> None:
        """Raises Damaged where it is gone."""
        try:
            self.storage.fetch(object_path(file.sha256), target)
        except FileNotFoundError as error:
            raise missing(self, file) from error

    def prune(self, keep: int, home: Path, home_id: str) -> list[str]:
        """Forget all but the newest `keep` sets of a home, and files that no set has needed for a
        day. Returns the ids of the sets that are gone. A set that cannot be read keeps every file;
        where no other home has sets here, it counts as one of this home.
        """
        known = self.read_all()
        alone = all(each is None or each.of(home, home_id) for each in known.values())
        mine = [name for name, each in known.items() if (each.of(home, home_id) if each else alone)]
        gone = mine[: max(0, len(mine) - keep)]
        for each in gone:
            self._forget(each)
        with suppress(Damaged):
            self._sweep(time.time() - UNUSED_SECONDS)
        return gone

    def _sweep(self, oldest: float) -> None:
        """Raises Damaged, before any file goes, for a set that cannot be read."""
        needed = {file.sha256 for each in self.ids() for file in self._said(SETS, each)}
        for marked in self.storage.files(GONE):
            if marked.modified < oldest:
                self.storage.remove(marked.path)
            elif not marked.partial:
                needed |= {file.sha256 for file in self._said(GONE, Path(marked.path).stem)}
        for file in self.storage.files(OBJECTS):
            if Path(file.path).name not in needed and file.modified < oldest:
                self.storage.remove(file.path)

    def _forget(self, each: str) -> None:
        """What it needed stays for a day: a backup that goes on may count on it."""
        with suppress(FileNotFoundError):  # another one's --keep was quicker
            self.storage.write(f"{GONE}/{each}.json", self.storage.read(f"{SETS}/{each}.json"))
        self.storage.remove(f"{SETS}/{each}.json")

    def _said(self, folder: str, each: str) -> tuple[BackupFile, ...]:
        """The files of a set, none where it is gone meanwhile."""
        path = f"{folder}/{each}.json"
        try:
            return read_set(self.storage.read(path), self.where(path)).files
        except FileNotFoundError:
            return ()


def trouble_of(error: OSError) -> LlmopsError:
    """What a file system did not do, as an error of ours."""
    return disk_trouble(error) or Unavailable(
        f"{error.filename or 'a file'} cannot be read or written: {error.strerror or error}",
        hint="look at its folder and its permissions, and run again",
    )


def object_path(digest: str) -> str:
    return f"{OBJECTS}/{digest[:2]}/{digest}"


def missing(vault: Vault, file: BackupFile) -> Damaged:
    return Damaged(
        f"the backup is damaged: {file.path} is gone",
        where=vault.where(object_path(file.sha256)),
        hint="nothing was restored; try another one: --list shows them",
    )
