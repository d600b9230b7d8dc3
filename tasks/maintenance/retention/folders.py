"""What lies in folders of the home: versions of data sets, trainings, results of evaluations, logs.
A folder that goes is renamed first, so that it is there as a whole or not at all.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from llmops.tasks.ledger import now
from llmops.tasks.maintenance.retention.holdings import holdings, touched
from llmops.tasks.maintenance.retention.policy import Days, RetentionPolicy, before
from llmops.tasks.maintenance.retention.references import Kind

GONE = ".gone-"
FOLDERS: dict[Kind, str] = {
    "dataset": "datasets",
    "training": "trainings",
    "evaluation": "evaluations",
}
Freed = tuple[str, int]
"""What came of it, in words, and the bytes."""


def free_datasets(home: Path, policy: RetentionPolicy) -> Freed:
    """Versions of data sets that no model needs; of each the newest stays. One that is being made
    is left to the next time.
    """
    gone = going(home, policy, "dataset")
    freed, count, busy = _finished(home, "dataset"), 0, set[str]()
    for name in gone:
        folder = home / "datasets" / name
        with _lock(folder.parent / ".lock") as mine:
            if not mine:
                busy.add(folder.parent.name)
                continue
            freed, count = freed + remove(folder), count + 1
    return f"{count} versions of data sets{left(busy)}", freed


def free_trainings(home: Path, policy: RetentionPolicy) -> Freed:
    """Folders of trainings whose models are in no registry, or no longer."""
    limit = before(now(), policy.trainings_days)
    gone = going(home, policy, "training")
    freed, count, busy = _finished(home, "training"), 0, set[str]()
    for name in gone:
        folder = home / "trainings" / name
        with _lock(folder / ".lock") as mine:
            if not mine or limit is None or touched(folder) >= limit:  # taken up again meanwhile
                busy.add(name)
                continue
            freed, count = freed + remove(folder), count + 1
    return f"{count} trainings{left(busy)}", freed


def free_evaluations(home: Path, policy: RetentionPolicy) -> Freed:
    """Results of evaluations that MLflow has too, or whose decision is gone."""
    gone = going(home, policy, "evaluation")
    freed = _finished(home, "evaluation")
    freed += sum(remove(home / "evaluations" / name) for name in gone)
    return f"results of {len(gone)} evaluations", freed


def free_logs(home: Path, days: Days) -> Freed:
    """Logs of parts of `llmops up` that no longer run: those that do, write."""
    limit, count, freed = before(now(), days), 0, 0
    for path in sorted((home / "logs").glob("*.log*")):
        with suppress(FileNotFoundError):
            facts = path.stat()
            if limit and datetime.fromtimestamp(facts.st_mtime, UTC) < limit:
                path.unlink()
                count, freed = count + 1, freed + facts.st_size
    return f"{count} logs", freed


def remove(folder: Path) -> int:
    """A folder is gone for everybody at once. Returns its bytes."""
    aside = folder.with_name(f"{GONE}{folder.name}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return 0
    return _emptied(aside)


def _finished(home: Path, kind: Kind) -> int:
    """What a kill has left of the time before."""
    return sum(_emptied(each) for each in sorted((home / FOLDERS[kind]).rglob(f"{GONE}*")))


def _emptied(folder: Path) -> int:
    size = sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir())
    shutil.rmtree(folder)
    return size


def going(home: Path, policy: RetentionPolicy, kind: Kind) -> list[str]:
    """The names of what may go now. Raises Unavailable where nobody knows what is needed."""
    return holdings(home).going(kind, policy.limits(now()), policy.named)


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether nobody else is at it, for as long as the block lasts."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def left(busy: set[str]) -> str:
    """What was not done, since somebody is at it."""
    return f"; in use: {', '.join(sorted(busy))}" if busy else ""
