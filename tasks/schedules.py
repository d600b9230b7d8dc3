"""What a run of a schedule does first: it begins, or passes because another run covers its time."""

from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Cancelled

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.slots import claim


def covered(home: Path, flow: str, name: str) -> "State[None] | None":
    """The state of a run whose time another run covers; None for all that are to work: also those
    that were started by hand, and those of no deployment.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(str(run.id)))  # as it was created, also in a retry
    expected = run.expected_start_time if run.auto_scheduled else None
    by = claim(open_ledger(home), flow, name, str(run.id), expected)
    if by is None:
        return None
    return Cancelled(
        name="Covered",
        message=f"its time is covered by the run {by.run_id}, which began at "
        f"{by.began:%Y-%m-%d %H:%M:%S} UTC",
    )
