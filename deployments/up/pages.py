"""The pages of Prefect and MLflow for a person who wants to look, with `llmops up` or without."""

import uuid
from collections.abc import Callable
from pathlib import Path

from llmops.deployments.up import record
from llmops.deployments.up.logs import Logs
from llmops.deployments.up.parts import MLFLOW, mlflow_part
from llmops.deployments.up.ports import choose as choose_ports
from llmops.deployments.up.servers import Servers, home_servers
from llmops.deployments.up.supervisor import Signals, Supervisor
from llmops.flows import server
from llmops.tasks.ledger import make_folder
from llmops.tasks.tracking import own_port

Addresses = dict[str, str]


def running_pages(home: Path) -> Addresses | None:
    """What the `up` of a home serves; None where none runs."""
    up = record.running(home)
    return {part.name: part.url for part in up.parts if part.url} if up else None


def serve_pages(home: Path, shown: Callable[[Addresses], None]) -> Addresses:
    """Show the pages without an `up`: those of the user's servers, and those of the home's own,
    which are started. MLflow's is served until Ctrl-C; where it is the user's, this ends at once.

    Raises Unavailable where a server of the user's does not answer, or the home's does not come up.
    """
    make_folder(home)
    port = choose_ports([MLFLOW], None, {MLFLOW: own_port(home)})[MLFLOW]
    prefect_port = 0 if server.named() else int(server.ensure(home).ui.rsplit(":", 1)[1])
    servers: Servers = home_servers(home, {"prefect": prefect_port, MLFLOW: port})
    addresses = {"prefect": servers.prefect.ui, MLFLOW: servers.mlflow.ui}
    if servers.mlflow.yours:
        shown(addresses)
        return addresses
    signals = Signals()
    with signals.listening():
        logs = Logs(home / "logs", shown=False)
        Supervisor(
            [mlflow_part(home, servers, port)],
            uuid.uuid4().hex,
            logs,
            shown=lambda _record, _part: shown(addresses),
        ).run(signals)
        logs.flush()
    return addresses
