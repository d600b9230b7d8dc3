"""Which servers a home's runs use, and why: for `llmops status`, and for those who must say what
they cannot reach. Starts nothing, imports neither Prefect nor MLflow.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from llmops.flows import server
from llmops.tasks import tracking
from llmops.tasks.errors import LlmopsError


@dataclass(frozen=True)
class UsedServer:
    """`own`: the home's; `why`: what names it; `url`: of the API or store, without a login, empty
    where none runs yet; `problem`: why it is not `healthy`; `hint`: what to do about it; `seconds`:
    what it took to find out.
    """

    name: str
    own: bool
    why: str
    url: str = ""
    ui: str = ""
    healthy: bool = False
    problem: str = ""
    hint: str = ""
    pid: int | None = None
    version: str = ""
    seconds: float = 0.0


def used(home: Path, seconds: float = math.inf) -> list[UsedServer]:
    """Prefect's and MLflow's. Those of the user are asked at the same time, and have `seconds` to
    answer.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(1) as beside:
        mlflow = beside.submit(_mlflow, home, seconds)
        prefect = _prefect(home, seconds)
        prefect = replace(prefect, seconds=time.monotonic() - began)
        return [prefect, mlflow.result()]


def _prefect(home: Path, seconds: float) -> UsedServer:
    theirs = None
    try:
        theirs = server.named()
        if theirs is None:
            return _own_prefect(home)
        there = server.reached(theirs, seconds)
    except LlmopsError as error:
        url, ui = (theirs.address, theirs.ui) if theirs else ("", "")
        why = theirs.source if theirs else error.where
        return UsedServer("prefect", False, why, url, ui, problem=error.message, hint=error.hint)
    return UsedServer(
        "prefect", False, there.source, theirs.address, there.ui, True, version=there.version
    )


def _own_prefect(home: Path) -> UsedServer:
    why, found = "the home's own: nothing names another", server.find(home)
    if found is None:
        return UsedServer("prefect", True, why, problem="none runs; the next flow starts it")
    return UsedServer("prefect", True, why, found.url, f"{found.ui}/v2", True, pid=found.pid)


def _mlflow(home: Path, seconds: float) -> UsedServer:
    place = tracking.place_of(home)
    url, ui = tracking.without_login(place.uri), tracking.pages(place.uri)
    if place.own:
        why = "the home's own: nothing names another"
        made = tracking.own_database(home).exists()
        problem = "" if made else "nothing is recorded yet"
        return UsedServer("mlflow", True, why, url, ui, made, problem)
    try:
        tracking.reach(place.uri, seconds)
    except LlmopsError as error:
        told, hint = error.message, error.hint
        return UsedServer("mlflow", False, place.source, url, ui, problem=told, hint=hint)
    return UsedServer("mlflow", False, place.source, url, ui, True)


def out_of_reach(home: Path) -> list[str]:
    """What an erasure has to say of records on servers that are the user's."""
    theirs, place = server.named(), tracking.place_of(home)
    notes = []
    if theirs:
        notes.append(
            f"runs, logs and artifacts on the Prefect server at {theirs.address} are not looked "
            "at: delete there the runs that name it"
        )
    if not place.own:
        notes.append(
            f"records in MLflow at {tracking.without_login(place.uri)} are not looked at: "
            "delete there the runs that name it"
        )
    return notes
