"""What runs came to, by the ledger: each outcome is read once, and little of it is kept."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import select

from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import runs

FAILED = ("failed", "blocked", "parts_failed")
"""What outcomes say of runs that count as failed."""
IDS = 200
Name = tuple[str, str]
"""Flow and name of a config, such as ("index", "handbook")."""
Result = Literal["good", "failed", "blocked"]


class EndedRun(NamedTuple):
    """A run, or a part of a night that has no run of its own. `began`: as far as it is known;
    `message`: its first error.
    """

    id: str
    of: Name
    began: datetime
    ended: datetime
    result: Result
    message: str = ""
    hint: str = ""
    links: Mapping[str, str] = {}


class RunHistory:
    """Remembers what it has read: outcomes never change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, datetime], list[EndedRun]] = {}

    def by_config(self, ledger: Ledger) -> dict[Name, list[EndedRun]]:
        """The ended runs of each config, the newest first."""
        with ledger.read() as connection:
            there = connection.execute(select(runs.c.id, runs.c.finished_at)).all()
            keys = {(row.id, aware(row.finished_at)) for row in there}
            new = [key for key in keys if key not in self._known]
            self._known = {key: said for key, said in self._known.items() if key in keys}
            for start in range(0, len(new), IDS):
                ids = [run for run, _ in new[start : start + IDS]]
                for row in connection.execute(select(runs).where(runs.c.id.in_(ids))):
                    ended = aware(row.finished_at)
                    self._known[row.id, ended] = list(_read(row.id, row.kb, ended, row.outcome))
        found: dict[Name, list[EndedRun]] = {}
        for said in self._known.values():
            for run in said:
                found.setdefault(run.of, []).append(run)
        return {
            of: sorted(ended, key=lambda run: run.ended, reverse=True)
            for of, ended in found.items()
        }


def _read(
    run_id: str, name: str, ended: datetime, outcome: Mapping[str, object]
) -> Iterator[EndedRun]:
    """The run; of a night, that it ran, and the parts that left no outcome of their own: what
    failed in them is their failure, not the night's.
    """
    flow, status = str(outcome.get("flow") or ""), str(outcome.get("status") or "")
    began = ended - timedelta(seconds=_number(outcome.get("seconds")))
    result: Result = "good"
    if flow != "nightly" and status in FAILED:
        result = "blocked" if status == "blocked" else "failed"
    message = str(outcome.get("reason") or outcome.get("headline") or status)
    hint, links = str(outcome.get("hint") or ""), _links(outcome.get("links"))
    yield EndedRun(run_id, (flow, name), began, ended, result, message, hint, links)
    parts = outcome.get("parts")
    if flow != "nightly" or not isinstance(parts, Sequence):
        return
    for number, part in enumerate(parts):
        if part.get("prefect_run_id") or part.get("status") == "skipped":
            continue
        yield EndedRun(
            f"{run_id}:{number}",
            (str(part.get("flow")), str(part.get("name"))),
            began,
            ended,
            "failed" if part.get("failed") else "good",
            str(part.get("headline") or part.get("status")),
            str(part.get("hint") or ""),
            links,
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _links(value: object) -> Mapping[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
