"""What the ledger says of what is past: outcomes of runs, decisions, rankings, alerts, and answers
and replies that are remembered. What was paid stays for ever, in the table of costs.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.knowledge.lakes import claim
from llmops.tasks.knowledge.rankings import FOLDER
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.alerting import alerts, notices
from llmops.tasks.ledger.application import answers
from llmops.tasks.ledger.tables import (
    calls,
    decisions,
    documents,
    knowledge_bases,
    moves,
    rankings,
    runs,
    shown,
    versions,
)
from llmops.tasks.maintenance.retention.folders import Freed, going
from llmops.tasks.maintenance.retention.policy import Days, RetentionPolicy, before
from llmops.tasks.models.moving import alone
from llmops.tasks.validation.docs import forget_docs

DECISIONS = "decisions"
PART = 500
WRITING = timedelta(days=1)
"""A file of the lake is written before the row that names it."""


def forget_outcomes(home: Path, policy: RetentionPolicy) -> Freed:
    """What runs came to, and pages of Data Docs. The last run of each flow and name stays, and what
    made a version or a ranking that is kept.
    """
    limit = before(now(), policy.outcomes_days)
    if limit is None:
        return "outcomes stay for ever", 0
    gone = going(home, policy, "outcome")
    with open_ledger(home).write() as connection:
        for part in _parts(gone):
            connection.execute(delete(runs).where(runs.c.id.in_(part)))
    pages, size = forget_docs(home, limit, _pages(home))
    return f"{len(gone)} outcomes of runs, {pages} pages of Data Docs", size


def forget_decisions(home: Path, policy: RetentionPolicy) -> Freed:
    """Decisions that no alias has moved by. The newest of each name stays. The file goes first: of
    a kill, the row is left, and goes the next time.
    """
    freed = count = 0
    with alone(home):
        gone = going(home, policy, "decision")
        for part in _parts(gone):
            with open_ledger(home).write() as connection:
                needed = set(connection.scalars(select(moves.c.decision)))
                mine = [each for each in part if each not in needed]
                for each in mine:
                    freed += _unlinked(home / DECISIONS / f"{each}.json")
                connection.execute(delete(decisions).where(decisions.c.id.in_(mine)))
                count += len(mine)
    return f"{count} decisions that moved nothing", freed


def forget_rankings(home: Path, policy: RetentionPolicy) -> Freed:
    """Rankings that are neither live nor on the way back, and files that none names."""
    gone, count, freed = going(home, policy, "ranking"), 0, 0
    for name in gone:
        kb, _, number = name.rpartition("/")
        mine = (rankings.c.kb == kb) & (rankings.c.number == int(number))
        live = select(knowledge_bases.c.name).where(
            knowledge_bases.c.name == kb, knowledge_bases.c.ranking == int(number)
        )
        with open_ledger(home).write() as connection:
            if not connection.scalar(live):
                count += connection.execute(delete(rankings).where(mine)).rowcount
    for name in live_names(open_ledger(home)):
        freed += _unnamed(Handle(home=home, name=name))
    return f"{count} rankings", freed


def _unnamed(kb: Handle) -> int:
    claim(kb)
    files = kb.lake.files(f"{FOLDER}/{kb.name}")
    query = select(rankings.c.model).where(rankings.c.kb == kb.name)
    with kb.ledger.read() as connection:
        named = set(connection.scalars(query))
    late, freed = (now() - WRITING).timestamp(), 0
    for file in files:
        if file.path not in named and file.modified < late:
            kb.lake.remove(file.path)
            freed += file.bytes
    return freed


def forget_answers(home: Path, days: Days) -> Freed:
    """Answers that applications remember: what one forgets by itself, also of one that is gone."""
    limit = before(now(), days)
    with open_ledger(home).write() as connection:
        count = _deleted(connection, answers, answers.c.created_at, limit)
    return f"{count} remembered answers", 0


def forget_calls(home: Path, days: Days) -> Freed:
    """Replies of models that were paid for, and would be again. Those on a document that a kept
    version has stay; what served answers and trainings have cost, stays with them.
    """
    limit = before(now(), days)
    with open_ledger(home).write() as connection:
        mine = (calls.c.reply != "") & calls.c.owner.not_in(select(documents.c.doc_id))
        count = _deleted(connection, calls, calls.c.created_at, limit, mine)
        if count:
            connection.execute(delete(shown).where(shown.c.key.not_in(select(calls.c.key))))
    return f"{count} replies that were paid for", 0


def forget_alerts(home: Path, days: Days) -> Freed:
    """Alerts that are over, with what people were told of them. One that goes on stays, and so does
    a notice that waits.
    """
    limit = before(now(), days)
    if limit is None:
        return "alerts stay for ever", 0
    with open_ledger(home).write() as connection:
        waiting = select(notices.c.alert_id).where(notices.c.status == "waiting")
        over = (alerts.c.resolved_at < limit) & alerts.c.id.not_in(waiting)
        count = connection.execute(delete(alerts).where(over)).rowcount
        orphans = notices.c.alert_id.not_in(select(alerts.c.id)) & (notices.c.status != "waiting")
        told = connection.execute(
            delete(notices).where(orphans, notices.c.created_at < limit)
        ).rowcount
    return f"{count} alerts that are over, {told} notices", 0


def _deleted(
    connection: Connection,
    table: Table,
    at: ColumnElement[datetime],
    limit: datetime | None,
    *conditions: ColumnElement[bool],
) -> int:
    if limit is None:
        return 0
    return connection.execute(delete(table).where(at < limit, *conditions)).rowcount


def _unlinked(path: Path) -> int:
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        path.unlink()
        return size
    return 0


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + PART] for start in range(0, len(ids), PART)]


def _pages(home: Path) -> set[str]:
    """The first part of the names of Data Docs whose version is kept."""
    query = select(versions.c.kb, versions.c.version).where(versions.c.status == "published")
    with open_ledger(home).read() as connection:
        return {f"{row.kb}-v{row.version}-" for row in connection.execute(query)}
