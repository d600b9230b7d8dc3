"""From a command to a flow: run in this process, against the user's Prefect server or this home's
own, and quietly.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from llmops.configs.section import FlowConfig
from llmops.flows import server
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.runs import saved_outcome


def run_flow(home: Path, config: FlowConfig, **options: object) -> dict[str, Any]:
    """Run the flow that a config is for, and return the JSON object of its outcome. Raises what the
    flow raised.
    """
    used = server.connect(home)
    since = server.log_position(home)
    outcome = run_connected(home, config, **options)
    name = "remarks" if "remarks" in outcome else "warnings"
    if isinstance(used, server.UserServer):
        said = list(used.remarks)
    else:
        said = [f"Prefect's server: {line}" for line in server.log_errors(home, since)]
    return {**outcome, name: [*outcome.get(name, []), *said]}


def run_connected(home: Path, config: FlowConfig, **options: object) -> dict[str, Any]:
    """The same against the Prefect server that this process is connected to."""
    # only now: Prefect reads its settings when it is imported
    name = config.flow_name()
    flow = getattr(import_module(f"llmops.flows.{name}"), name)
    state = flow(config, home, return_state=True, **options)
    outcome = saved_outcome(open_ledger(home), str(state.state_details.flow_run_id))
    if outcome is not None:
        return outcome
    state.result(raise_on_failure=True)
    raise LlmopsError(
        f"the flow ended in state {state.name} without an outcome",
        hint="see the run in the Prefect UI; a flow ends with tasks/finish.py: finish",
    )
