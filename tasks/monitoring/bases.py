"""What a knowledge base is like: how fresh, how large, what failed, what is left over."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from llmops.tasks.errors import LlmopsError, NearDuplicate
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import listings, quarantine, versions
from llmops.tasks.monitoring.figures import Kpi
from llmops.tasks.monitoring.kpis import Way, day_name
from llmops.tasks.monitoring.tally import DAY
from llmops.tasks.plugins import Spec

HOUR = timedelta(hours=1)
RECENT = DAY
"""A look at a window that ended longer ago leaves out what is only known of now."""


class HeldRows(NamedTuple):
    """What a store holds, compared with what the ledger says: rows that no version needs, and rows
    of the live version that are missing. `problem`: why nobody knows.
    """

    orphans: int | None
    missing: int = 0
    problem: str = ""


class BaseLook(BaseModel):
    """`remarks`: what is wrong, or could not be seen."""

    model_config = ConfigDict(frozen=True)
    kpis: tuple[Kpi, ...] = ()
    remarks: tuple[str, ...] = ()


class _Published(NamedTuple):
    """A version, when it went live, and its documents."""

    at: datetime
    documents: int


def base_look(
    home: Path, name: str, since: datetime, until: datetime, now: datetime, held: HeldRows
) -> BaseLook:
    """The knowledge base as it is, and how many documents it had on the days of the window. One
    that is not there is a remark.
    """
    kb = Handle(home=home, name=name)
    try:
        live = kb.published()
    except LlmopsError as error:
        return BaseLook(remarks=(str(error),))
    remarks = [f"{name}: {held.problem}"] if held.problem else []
    if held.missing:
        repair = f"`llmops kb repair {name}` restores them"
        missing = f"{held.missing:,} rows of version {live.version} are missing in the store"
        remarks.append(f"{name}: {missing}; {repair}")
    kpis = list(_of_versions(kb, since, until))
    if now - until < RECENT:
        kpis += _of_now(kb, live, now, held)
    return BaseLook(kpis=tuple(kpis), remarks=tuple(remarks))


def _of_versions(kb: Handle, since: datetime, until: datetime) -> Iterator[Kpi]:
    query = (
        select(versions.c.published_at, versions.c.documents)
        .where(versions.c.kb == kb.name, versions.c.published_at.is_not(None))
        .order_by(versions.c.published_at, versions.c.version)
    )
    with kb.ledger.read() as connection:
        published = [_Published(aware(row[0]), row[1] or 0) for row in connection.execute(query)]
    last = _at(published, until)
    if last is None:
        return
    before, days = _at(published, since), max(1, round((until - since) / DAY))
    shown = ((day, _at(published, until - day * DAY)) for day in range(days - 1, -1, -1))
    curve = tuple((day_name(until, day), float(each.documents)) for day, each in shown if each)
    yield _kpi(
        *(kb.name, "documents", "Documents", float(last.documents), last.documents),
        before=float(before.documents) if before else None,
        curve=curve,
    )
    hours = (until - last.at) / HOUR
    yield _kpi(
        *(kb.name, "published_hours", "Since the last publish", hours, last.documents),
        unit="hours",
        note="a build that changes nothing publishes nothing",
    )


def _at(published: Sequence[_Published], moment: datetime) -> _Published | None:
    """What was live at a moment, by when versions were published."""
    return next((each for each in reversed(published) if each.at <= moment), None)


def _of_now(kb: Handle, live: Version, now: datetime, held: HeldRows) -> Iterator[Kpi]:
    documents = live.documents or 0
    mine = {Spec.model_validate(each).id for each in live.config.get("sources", ())}
    open_items = select(func.count()).select_from(quarantine)
    with kb.ledger.read() as connection:
        listed = connection.execute(select(listings).where(listings.c.kb == kb.name)).all()
        failed = connection.scalar(
            open_items.where(
                quarantine.c.kb == kb.name, quarantine.c.error != NearDuplicate.__name__
            )
        )
    ages = {
        row.source: (now - aware(row.completed_at)) / HOUR for row in listed if row.source in mine
    }
    oldest = max(ages, key=ages.__getitem__, default="")
    if ages:
        yield _kpi(
            *(kb.name, "listed_hours", "Since the sources were listed", ages[oldest], documents),
            unit="hours",
            better="less",
            note=f"of the source that was listed longest ago: {oldest}" if len(ages) > 1 else "",
        )
    yield _kpi(
        *(kb.name, "quarantined", "Documents in quarantine", float(failed or 0), documents),
        better="less",
    )
    if held.orphans is not None:
        yield _kpi(
            *(kb.name, "orphans", "Rows that no version needs", float(held.orphans), documents),
            better="less",
            note=f"`llmops kb repair {kb.name}` removes them" if held.orphans else "",
        )


def _kpi(
    name: str,
    measure: str,
    label: str,
    value: float,
    documents: int,
    *,
    unit: str = "",
    better: Way = None,
    before: float | None = None,
    curve: tuple[tuple[str, float], ...] = (),
    note: str = "",
) -> Kpi:
    return Kpi(
        name=f"kb/{name}/{measure}",
        label=f"{name}: {label[0].lower()}{label[1:]}",
        unit=unit,
        value=value,
        n=documents,
        before=before,
        better=better,
        curve=curve,
        note=note,
    )
