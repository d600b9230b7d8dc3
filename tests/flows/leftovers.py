"""What dead workers and sleeping machines leave at a Prefect server."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.commandline import Office


class Runs:
    """Runs of a deployment in states that only a dead worker leaves behind."""

    def __init__(self, office: Office, client: Any) -> None:
        self.home, self.client = office.home, client
        self.deployment = client.read_deployment_by_name(f"index/{office.kb}").id

    def late(self, days: int) -> str:
        from prefect.states import Scheduled

        at: Any = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(days=days))
        run = self.client.create_flow_run_from_deployment(self.deployment, state=at)
        with sqlite3.connect(self.home / "prefect" / "prefect.db", timeout=30) as database:
            marked = "UPDATE flow_run SET auto_scheduled = 1 WHERE id = ?"
            assert database.execute(marked, (str(run.id),)).rowcount == 1
        database.close()
        return str(run.id)

    def cut(self, *kinds: str) -> str:
        from prefect.client.schemas.objects import State, StateType

        run = self.client.create_flow_run_from_deployment(self.deployment)
        self.client.update_flow_run(run.id, infrastructure_pid="999999")
        for kind in kinds:
            state: State[None] = State(type=StateType(kind), name=kind.capitalize())
            self.client.set_flow_run_state(run.id, state, force=True)
        return str(run.id)

    def states(self) -> dict[str, str]:
        from prefect.client.schemas import filters

        of = filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[self.deployment]))
        now = datetime.now(UTC)
        found = self.client.read_flow_runs(deployment_filter=of)
        past = [run for run in found if run.expected_start_time <= now]
        return {str(run.id): run.state_name for run in past}

    def state(self, run: str) -> Any:
        return self.client.read_flow_run(UUID(run)).state
