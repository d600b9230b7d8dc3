"""The applications that a home has heard of, and what is said of a name that is none of them."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import curated, people, traces
from llmops.tasks.ledger.review import review_items
from llmops.tasks.traces.index import known_apps

KEYS = "key"
"""What stands before the id of a key where else an application's name does."""


def applications(home: Path) -> list[str]:
    """Those with traces, items of a queue or curated answers, by name."""
    with existing_ledger(home).read() as connection:
        return sorted(
            {
                name
                for table in (traces, review_items, curated)
                for name in connection.scalars(select(table.c.app).distinct())
            }
        )


def unheard(home: Path, app: str) -> str:
    """What to tell whoever names an application of which nothing is here, but of others is; else
    empty.
    """
    known = applications(home)
    return "" if app in known or not known else untraced(app, known)


def unasked(home: Path, app: str) -> str:
    """The same of one without traces, also where no other has some."""
    known = known_apps(home)
    return "" if app in known else untraced(app, known)


def untraced(app: str, known: Sequence[str]) -> str:
    others = ", ".join(known) or "none"
    meant = did_you_mean(app, known)
    told = f"no traces of {app!r} are here; applications that have some: {others}"
    return f"{told}; {meant}" if meant else told


def checked_app(home: Path, app: str) -> None:
    """Raises UsageError where other applications are known, and this one is not, not even by the
    name of somebody who has used it: what bears no application's name, such as a session, must
    not go by a slip of the pen.
    """
    known = applications(home)
    if not known or app in (*known, KEYS) or _used(home, app):
        return
    hint = did_you_mean(app, known) or f"applications here: {', '.join(known)}"
    raise UsageError(f"there is no application {app!r} here", where="--app", hint=hint)


def _used(home: Path, app: str) -> bool:
    theirs = people.c.name.startswith(f"{app}/", autoescape=True)
    with existing_ledger(home).read() as connection:
        return connection.execute(select(people.c.pseudonym).where(theirs)).first() is not None
