"""What a monitor keeps of what people said, and how that goes when their traces do: reports, in the
home and in MLflow, what its runs came to, and vectors.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import runs
from llmops.tasks.traces.trace import PREFIX
from llmops.tasks.tracking.live import forget_looks

WORKING, REPORTS = "monitor", "reports/monitor"
SAID: dict[str, object] = {"new_topics": [], "recommendations": {}}
"""What of an outcome holds texts of people; figures and drift hold none."""
REMARK = (
    "reports of monitors that quote what was deleted are gone; the artifacts of their runs in "
    "Prefect may quote it, too, and go with the runs"
)


def working_folder(home: Path, app: str) -> Path:
    """Where a monitor of an application keeps what it could make again: vectors, and while it runs,
    texts.
    """
    return home / WORKING / app


def report_folder(home: Path, app: str) -> Path:
    """Where its reports lie: of each an HTML file, and beside it the JSON that it was made of."""
    return home / REPORTS / app


def forget_report(file: Path) -> None:
    """Remove a report with what lies beside it."""
    for each in (file.with_suffix(".html"), file.with_suffix(".json")):
        each.unlink(missing_ok=True)


def forget_vectors(home: Path, apps: Collection[str]) -> None:
    """Those of all texts of these applications: of which trace one is, nobody knows."""
    for app in apps:
        shutil.rmtree(working_folder(home, app), ignore_errors=True)


def forget_quotes(home: Path, app: str, ids: Collection[str]) -> int:
    """Remove the reports of an application that name one of these traces, and what they quote from
    the outcomes of its runs. Returns how many that were. Raises Unavailable where MLflow does not
    answer and may have some.
    """
    gone = 0
    for file in sorted(report_folder(home, app).glob("*.json")):
        if names_one(file.read_text(encoding="utf-8", errors="replace"), ids):
            forget_report(file)
            gone += 1
    gone += _forget_outcomes(home, app, ids)
    return gone + forget_looks(home, app, lambda text: names_one(text, ids))


def names_one(text: str, ids: Collection[str]) -> bool:
    """Whether a text holds one of the ids; those of traces have one length."""
    length = len(PREFIX) + 32
    wanted, place = set(ids), text.find(PREFIX)
    while place >= 0:
        if text[place : place + length] in wanted:
            return True
        place = text.find(PREFIX, place + 1)
    return False


def _forget_outcomes(home: Path, app: str, ids: Collection[str]) -> int:
    mine = (runs.c.kb == app) & (runs.c.outcome["flow"].as_string() == "monitor")
    gone = 0
    with open_ledger(home).write() as connection:
        for row in connection.execute(select(runs.c.id, runs.c.outcome).where(mine)).all():
            said = {name: row.outcome.get(name) for name in SAID}
            if names_one(str(said), ids):
                changed = update(runs).where(runs.c.id == row.id)
                connection.execute(changed.values(outcome=row.outcome | SAID))
                gone += 1
    return gone
