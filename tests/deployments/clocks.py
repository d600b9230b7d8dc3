"""Prefect's own scheduler over changes of daylight saving, by a simulated clock: prints a JSON
object, `zone cron day` -> the instants (UTC) of the runs that came about on that local day.

`python -m tests.deployments.clocks CASES` (JSON: [[cron, zone, day], …]) beside a database whose
tables are made.
"""

import asyncio
import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from prefect.server import models as prefect_models
from prefect.server import schemas
from prefect.server.database import provide_database_interface
from prefect.server.models import deployments as deployment_models
from prefect.server.services import scheduler

from llmops.configs.section import Schedule
from llmops.deployments.times import cron_for

CLOCK: list[datetime] = [datetime.now(UTC)]
BEFORE, AFTER, STEP = timedelta(hours=9), timedelta(hours=14), timedelta(minutes=25)
DB = provide_database_interface()
models: Any = prefect_models  # its decorators hide what they return


async def deployed(flow: UUID, number: int, cron: str, zone: str) -> UUID:
    """A deployment as `llmops deploy` makes it."""
    when = cron_for(Schedule(cron=cron, timezone=zone))
    schedule: Any = schemas.schedules.CronSchedule(cron=when.cron, timezone=when.timezone)
    async with DB.session_context(begin_transaction=True) as session:
        wanted = schemas.core.Deployment(
            name=f"deployment {number}",
            flow_id=flow,
            schedules=[schemas.core.DeploymentSchedule(schedule=schedule, active=True)],
        )
        made = await models.deployments.create_deployment(session=session, deployment=wanted)
    return UUID(str(made.id))


async def simulated(deployment: UUID, zone: str, day: date) -> list[datetime]:
    """Look again and again, from the evening before until the afternoon, as the service does."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    CLOCK.append(midnight - BEFORE)
    while CLOCK[-1] < midnight + AFTER:
        await scheduler.schedule_deployments()
        CLOCK.append(CLOCK[-1] + STEP)
    async with DB.session_context() as session:
        of = DB.FlowRun.deployment_id == deployment
        found = (await session.execute(sa.select(DB.FlowRun.expected_start_time).where(of))).all()
    moments = sorted(row[0].astimezone(UTC) for row in found)
    return [at for at in moments if at.astimezone(ZoneInfo(zone)).date() == day]


async def main(cases: list[list[str]]) -> None:
    for module in (scheduler, deployment_models):
        setattr(module, "now", lambda _zone: CLOCK[-1])  # noqa: B010 - Prefect's clock
    async with DB.session_context(begin_transaction=True) as session:
        flow = await models.flows.create_flow(session=session, flow=schemas.core.Flow(name="index"))
        known = UUID(str(flow.id))
    found = {}
    for number, (cron, zone, day) in enumerate(cases):
        deployment = await deployed(known, number, cron, zone)
        moments = await simulated(deployment, zone, date.fromisoformat(day))
        found[f"{zone} {cron} {day}"] = [f"{at:%Y-%m-%d %H:%M}" for at in moments]
        async with DB.session_context(begin_transaction=True) as session:
            await models.deployments.delete_deployment(session=session, deployment_id=deployment)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
