"""Ninety nights in Prefect's own tables, with Prefect's own vacuum after each: prints a JSON line
with rows and bytes per night. `python -m tests.flows.nights FOLDER NIGHTS`, in the environment of
the server.
"""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from prefect.server import models as prefect_models
from prefect.server import schemas
from prefect.server.database import provide_database_interface
from prefect.server.services import db_vacuum
from prefect.settings.context import get_current_settings
from sqlalchemy.ext.asyncio import AsyncSession

RUNS, TASKS, LOGS, ARTIFACTS, EVENTS = 2, 10, 120, 3, 200
CLOCK: list[datetime] = []
DB = provide_database_interface()
models: Any = prefect_models  # its decorators hide what they return


def rows_of(table: str, run: UUID, task: UUID, at: datetime, number: int) -> dict[str, object]:
    """A row as the server writes it."""
    common = {"id": uuid4(), "created": at, "updated": at}
    if table == "log":
        text = {"name": "prefect.flow_runs", "level": 20, "message": "a line of the log " * 8}
        return {**common, **text, "flow_run_id": run, "task_run_id": task, "timestamp": at}
    data = {"type": "markdown", "data": "x" * 3000, "description": "an outcome"}
    return {**common, **data, "key": f"kb-{number}", "flow_run_id": run}


async def night(session: AsyncSession, flow: UUID, at: datetime) -> None:
    """A parent run with subflows, tasks, states, logs, artifacts and events, all of one moment."""
    parent: UUID | None = None
    for _ in range(RUNS):
        run = schemas.core.FlowRun(flow_id=flow, parent_task_run_id=parent, tags=["llmops"])
        made = await models.flow_runs.create_flow_run(session=session, flow_run=run)
        ended: Any = schemas.states.Completed(timestamp=at)
        await models.flow_runs.set_flow_run_state(
            session=session, flow_run_id=made.id, state=ended, force=True
        )
        times = {"start_time": at, "end_time": at, "created": at}
        await session.execute(sa.update(DB.FlowRun).where(DB.FlowRun.id == made.id).values(times))
        tasks = [await task(session, made.id, number, at) for number in range(TASKS)]
        parent = parent or tasks[0]
        for table, count in ((DB.Log, LOGS), (DB.Artifact, ARTIFACTS)):
            name = table.__tablename__
            new: list[dict[str, object]] = [
                rows_of(name, made.id, tasks[0], at, number) for number in range(count)
            ]
            await session.execute(sa.insert(table), new)
        await events(session, made.id, at)


async def task(session: AsyncSession, run: UUID, number: int, at: datetime) -> UUID:
    made = await models.task_runs.create_task_run(
        session=session,
        task_run=schemas.core.TaskRun(
            flow_run_id=run,
            task_key=f"chunk-{number}",
            dynamic_key=str(number),
            state=schemas.states.Completed(timestamp=at),
        ),
    )
    return UUID(str(made.id))


async def events(session: AsyncSession, run: UUID, at: datetime) -> None:
    resource = {"prefect.resource.id": f"prefect.flow-run.{run}"}
    new: list[dict[str, object]] = [
        {
            "id": uuid4(),
            "event": "prefect.task-run.Completed",
            "occurred": at,
            "received": at,
            "recorded": at,
            "resource_id": resource["prefect.resource.id"],
            "resource": resource,
            "related_resource_ids": [],
            "related": [],
            "payload": {"text": "y" * 400},
            "follows": None,
        }
        for _ in range(EVENTS)
    ]
    await session.execute(sa.insert(DB.Event), new)
    of = [
        {
            "event_id": event["id"],
            "occurred": at,
            "resource_id": resource["prefect.resource.id"],
            "resource_role": "",
            "resource": resource,
        }
        for event in new
    ]
    await session.execute(sa.insert(DB.EventResource), of)


async def vacuum() -> None:
    """What the server's services do, by hand; by their own switches."""
    kinds = get_current_settings().server.services.db_vacuum.enabled_vacuum_types
    if "flow_runs" in kinds:
        await db_vacuum.vacuum_old_flow_runs(db=DB)
        await db_vacuum.vacuum_old_flow_runs(db=DB)  # subflows, of the hour after
    if "orphans" in kinds:
        await db_vacuum.vacuum_orphaned_logs(db=DB)
        await db_vacuum.vacuum_orphaned_artifacts(db=DB)
        await db_vacuum.vacuum_stale_artifact_collections(db=DB)
    if "events" in kinds:
        await db_vacuum.vacuum_old_events(db=DB)


def size_of(file: Path) -> int:
    """Of the database itself: the write-ahead log is written back first."""
    connection = sqlite3.connect(file, timeout=30)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return file.stat().st_size


async def counts(session: AsyncSession) -> Iterator[tuple[str, int]]:
    tables = (DB.FlowRun, DB.TaskRun, DB.Log, DB.Artifact, DB.Event, DB.EventResource)
    more = (DB.FlowRunState, DB.TaskRunState)
    found = []
    for table in (*tables, *more):
        number = await session.scalar(sa.select(sa.func.count()).select_from(table))
        found.append((str(table.__tablename__), int(number or 0)))
    return iter(found)


async def main(folder: Path, nights: int) -> None:
    setattr(db_vacuum, "now", lambda _zone: CLOCK[-1])  # noqa: B010 - Prefect's clock
    first = datetime.now(UTC) - timedelta(days=nights)
    async with DB.session_context(begin_transaction=True) as session:
        flow = await models.flows.create_flow(session, schemas.core.Flow(name="index"))
        known = UUID(str(flow.id))
    for number in range(nights):
        CLOCK.append(first + timedelta(days=number))
        async with DB.session_context(begin_transaction=True) as session:
            await night(session, known, CLOCK[-1])
        await vacuum()
        async with DB.session_context() as session:
            rows = dict(await counts(session))
        told = {"night": number + 1, "bytes": size_of(folder / "prefect.db"), **rows}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
