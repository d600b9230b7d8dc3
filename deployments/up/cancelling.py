"""The end of running flows when `up` is ended: asked to cancel, waited for, and said to be
cancelled where they did not get so far. Nothing is left RUNNING for ever.
"""

import threading
import time
from collections.abc import Callable, Collection

from llmops.deployments.prefect_api import PrefectApi, Run
from llmops.tasks.errors import LlmopsError

POLL_SECONDS = 0.2
LAST_SECONDS = 1.0
WHY = "`llmops up` was ended"


def cancel_runs(
    api: PrefectApi,
    tags: tuple[str, ...],
    seconds: float,
    at_once: threading.Event,
    end_processes: Callable[[], object],
    tell: Callable[[str], None],
    mine: Callable[[], Collection[str]] | None = None,
) -> None:
    """Cancel what runs of the project's deployments within `seconds`. `mine`: ids of the runs of
    this machine, where workers of others may be at the same schedules; default: all are.

    The worker hears of CANCELLING, ends the process of the run, and says CANCELLED. For what has
    not ended shortly before the time is up, `end_processes` ends the processes, and the state is
    set from here.
    """
    deadline = time.monotonic() + seconds
    try:
        ids = [deployment["id"] for deployment in api.deployments(tags)]
        own = None if mine is None else set(mine())

        def active() -> list[Run]:
            return [run for run in api.active(ids) if own is None or run["id"] in own]

        running = active()
        if not running:
            return
        tell(f"{len(running)} running: {', '.join(run['name'] for run in running)}; cancelled")
        for run in running:
            api.set_state(run["id"], "CANCELLING", "Cancelling", WHY, force=False)
        while time.monotonic() < deadline - LAST_SECONDS and not at_once.is_set():
            time.sleep(POLL_SECONDS)
            if not (running := active()):
                return
        end_processes()
        for run in running:
            api.set_state(run["id"], "CANCELLED", "Cancelled", WHY, force=True)
        tell(f"{len(running)} had to be stopped: {', '.join(run['name'] for run in running)}")
    except LlmopsError as error:
        tell(f"runs could not be cancelled: {error.message}; the next `llmops up` reruns them")
