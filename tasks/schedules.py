"""What a run of a schedule does first: it begins, or passes because another run covers its time.
A build waits for one of the same knowledge base that is going on.
"""

import time
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled

from llmops.tasks.finish import tell
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.leases import holder
from llmops.tasks.ledger.slots import Covered, claim, overtaken

WAIT_SECONDS = 900.0
"""How long a run of a deployment waits for another build of its knowledge base."""
LOOK_SECONDS = 2.0


def deployed() -> FlowRun | None:
    """The current run, where it is one of a deployment."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run and run.deployment_id else None


def waiting_time(given: float) -> float:
    """How long a build waits for another one: as was said, else a while in a run of a deployment,
    and not at all where a person waits.
    """
    return given or (WAIT_SECONDS if deployed() else 0.0)


def covered(home: Path, flow: str, name: str) -> "State[None] | None":
    """The state of a run whose time another run covers; None for all that are to work: also those
    that were started by hand, and those of no deployment.
    """
    if (run := _as_created()) is None:
        return None
    expected = run.expected_start_time if run.auto_scheduled else None
    by = claim(open_ledger(home), flow, name, str(run.id), expected)
    return _covered(by) if by else None


def turn(
    home: Path, kb: str, seconds: float, every: float = LOOK_SECONDS
) -> tuple["State[None] | None", float]:
    """Wait, in a run of a deployment, until nobody builds the knowledge base. Returns the seconds
    that are left of those; and a state to end with, where a later run of the schedule has begun
    meanwhile: of those that wait one is enough.
    """
    run = deployed()
    if run is None:
        return None, seconds
    ledger, deadline = open_ledger(home), time.monotonic() + seconds
    told = scheduled = False
    while (who := holder(ledger, kb)) and (left := deadline - time.monotonic()) > 0:
        if not told:
            created, told = _as_created(), True
            scheduled = created is not None and created.auto_scheduled
            tell(f"waits at most {seconds:,.0f} s: another build of {kb!r} is running: {who}")
        if scheduled and (by := overtaken(ledger, "index", kb, str(run.id))):
            return _covered(by), 0.0
        time.sleep(min(every, left))
    return None, max(0.0, deadline - time.monotonic())


def _as_created() -> FlowRun | None:
    """The current run of a deployment as it was created, also in a retry."""
    if (run := deployed()) is None:
        return None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(str(run.id)))


def _covered(by: Covered) -> "State[None]":
    return Cancelled(
        name="Covered",
        message=f"its time is covered by the run {by.run_id}, which began at "
        f"{by.began:%Y-%m-%d %H:%M:%S} UTC",
    )
