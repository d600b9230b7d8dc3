"""What keeps a background server cheap: it is idle for most of its life, and one of many processes
on a laptop. Measured by benchmarks/server.py; nothing here changes what the server does, only how
often it looks, and what it imports before anybody needs it.
"""

import gc
import json
import logging
from collections.abc import Mapping
from functools import partial
from importlib.metadata import entry_points

SETTINGS = {
    # a home's own server has one worker or none, and nobody waits for these by the second
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "30",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT15S",
}
POLL_SECONDS = 1.0
QUIET_SECONDS, PATIENT_SECONDS = 10.0, 300.0
logger = logging.getLogger("prefect.server.economy")  # Prefect sends this branch to server.log
YOUNG, MIDDLE, OLD = 20_000, 20, 50
"""Thresholds of the collector: CPython's own (700, 10, 10) walk through the heap of FastAPI and
SQLAlchemy several times a second under load."""


def during_imports() -> None:
    """Nothing that an import makes is garbage."""
    gc.disable()


def after_start() -> None:
    """What lives now lives as long as the process: the collector need not look at it again."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    gc.enable()


def tidy(idle: float, age: float) -> bool:
    """Free once what the start has left behind, when nobody has asked for a while, or after some
    minutes: it takes half a second, for which the flow would wait that the server is started for.
    `idle`, `age`: seconds, of the server. Returns whether it was done.
    """
    if idle < QUIET_SECONDS and age < PATIENT_SECONDS:
        return False
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return True


def slow_polling() -> None:
    """Prefect's services wait in a queue that its worker asks for work ten times a second, and
    there is no setting for that.
    """
    from datetime import timedelta

    from prefect.server.api import background_workers

    often = timedelta(seconds=POLL_SECONDS)
    slower = partial(
        vars(background_workers)["Worker"],
        minimum_check_interval=often,
        scheduling_resolution=often,
    )
    vars(background_workers)["Worker"] = slower


def fewer_integrations() -> None:
    """Prefect imports all of its integrations that are installed when a server starts (with Docker,
    Kubernetes, Dask and Ray a second and 80 MB), so that they add their types of blocks to the
    tables. Those of its own integrations lie in a file of Prefect's, which it reads as well, so
    only integrations of others are imported. Once a block is used, all of them are.
    """
    from prefect import plugins
    from prefect.server.models.block_registration import COLLECTIONS_BLOCKS_DATA_PATH

    content = json.loads(COLLECTIONS_BLOCKS_DATA_PATH.read_text(encoding="utf-8"))
    known = {name.replace("-", "_") for name in content["collections"]}
    vars(plugins)["load_prefect_collections"] = partial(_loaded_but, known)


def _loaded_but(known: set[str]) -> Mapping[str, object]:
    loaded: dict[str, object] = {}
    for point in entry_points(group="prefect.collections"):
        if point.name not in known:
            logger.info(
                "importing the integration %s", point.name
            )  # the last line of one that hangs
            try:
                loaded[point.name] = point.load()
            except (Exception, SystemExit) as error:
                said = "the integration %s cannot be imported: %r"
                logger.warning(said, point.name, error, exc_info=True)
                loaded[point.name] = error
    return loaded
