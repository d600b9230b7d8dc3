"""What MLflow holds: runs, and versions of trained models. The files of a model are those of its
training, which goes after it.
"""

from pathlib import Path

from llmops.tasks.errors import Unavailable
from llmops.tasks.maintenance.retention.folders import Freed, going, left
from llmops.tasks.maintenance.retention.policy import RetentionPolicy
from llmops.tasks.models.moving import alone
from llmops.tasks.tracking.leftovers import compact_file, spare_bytes
from llmops.tasks.tracking.models import open_models
from llmops.tasks.tracking.place import own_database, place_of, without_login
from llmops.tasks.tracking.stored import purge_runs, stored_runs

WORTH, LEAST = 0.25, 8_000_000
"""A database is written anew where so much of it is free, and so many bytes."""


def forget_models(home: Path, policy: RetentionPolicy) -> Freed:
    """Versions of trained models that no alias had, no decision and no config names; the newest of
    each stays. No alias moves meanwhile. Of a store that is not the home's own none goes: other
    homes may have theirs there.
    """
    if elsewhere := _elsewhere(home):
        return f"none: the registry is {elsewhere}, where other homes may have theirs", 0
    with alone(home):
        gone = going(home, policy, "model")
        if gone:
            with open_models(home) as shelf:
                for each in gone:
                    name, _, number = each.rpartition("/")
                    shelf.remove(name, int(number))
    return f"{len(gone)} versions of trained models", 0


def _elsewhere(home: Path) -> str:
    place = place_of(home)
    return "" if place.own else f"in MLflow at {without_login(place.uri)}"


def purge(home: Path, policy: RetentionPolicy) -> Freed:
    """Runs of flows that nothing kept needs, with their files. Those of another store than
    the home's own are its affair.
    """
    if elsewhere := _elsewhere(home):
        return f"none: the runs are {elsewhere}, for its own `mlflow gc`", 0
    gone = going(home, policy, "run")
    above = {run.id: run.parent for run in stored_runs(home)}

    def depth(run: str) -> int:
        steps, seen = 0, {run}
        while (run := above.get(run, "")) and run not in seen:
            steps, seen = steps + 1, seen | {run}
        return steps

    gone.sort(key=depth, reverse=True)  # those below go first: none is left without the one above
    return f"{len(gone)} MLflow runs", purge_runs(home, gone)


def compact(home: Path) -> Freed:
    """Databases of which a good part is free are written anew; the others fill their free pages.
    Whoever writes meanwhile waits; one that somebody keeps to himself is left to the next time.
    """
    done, busy, freed = list[str](), set[str](), 0
    for database in (home / "ledger.db", own_database(home), home / "prefect" / "prefect.db"):
        spare = spare_bytes(database)
        if spare < LEAST or spare < WORTH * database.stat().st_size:
            continue
        size = database.stat().st_size
        try:
            compact_file(database)
        except Unavailable:
            busy.add(database.name)
            continue
        freed += max(0, size - database.stat().st_size)
        done.append(database.name)
    return f"{', '.join(done) or 'no database'} written anew{left(busy)}", freed
