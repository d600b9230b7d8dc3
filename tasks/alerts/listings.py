"""Sources that a build could not list to the end: what vanished there is still served."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from llmops.tasks.alerts.condition import Condition
from llmops.tasks.alerts.history import EndedRun, Name
from llmops.tasks.ledger import Ledger
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import knowledge_bases, listings

RULE = "source-incomplete"
SLACK = timedelta(minutes=1)


def incomplete(ledger: Ledger, history: Mapping[Name, Sequence[EndedRun]]) -> list[Condition]:
    """Of each live knowledge base, the sources whose last complete listing is older than its last
    good build.
    """
    with ledger.read() as connection:
        rows = connection.execute(
            select(listings)
            .join(knowledge_bases, knowledge_bases.c.name == listings.c.kb)
            .where(knowledge_bases.c.live.is_not(None))
        ).all()
    old: dict[str, list[tuple[str, datetime]]] = {}
    for row in rows:
        builds = [run for run in history.get(("index", row.kb), ()) if run.result == "good"]
        if builds and aware(row.completed_at) < builds[0].began - SLACK:
            old.setdefault(row.kb, []).append((row.source, aware(row.completed_at)))
    return [_condition(name, sources) for name, sources in sorted(old.items())]


def _condition(name: str, sources: Sequence[tuple[str, datetime]]) -> Condition:
    first = min(at for _, at in sources)
    named = ", ".join(source for source, _ in sources)
    return Condition(
        rule=RULE,
        subject=name,
        severity="warning",
        message=f"the last build could not list {named} to the end: last complete at "
        f"{first:%Y-%m-%d %H:%M} UTC",
        hint="what was taken out there since is still found; the build's warnings say why",
        since=first,
    )
