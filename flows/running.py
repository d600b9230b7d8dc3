"""Running a flow from the command line: against this home's background Prefect server, and
quietly.
"""

from pathlib import Path
from typing import Any

from llmops.flows import server
from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.outcome import Outcome


def run_flow(home: Path, config: Any, **options: Any) -> Outcome:
    """Run the index flow in this process and return its outcome. Raises what the flow raised."""
    server.connect(home)
    since = server.log_position(home)
    outcome = run_index(home, config, **options)
    outcome.warnings = [
        *outcome.warnings,
        *(f"Prefect's server: {line}" for line in server.log_errors(home, since)),
    ]
    return outcome


def run_index(home: Path, config: Any, **options: Any) -> Outcome:
    """Run the index flow against the Prefect server that this process is connected to."""
    from llmops.flows.index import index  # only now: Prefect reads its settings when it is imported

    return _outcome(home, index(config, home, return_state=True, **options))


def _outcome(home: Path, state: Any) -> Outcome:
    return Outcome.model_validate(_saved(home, state))


def _saved(home: Path, state: Any) -> dict[str, Any]:
    """What the flow left in the ledger. Raises what it raised, where it left nothing."""
    from llmops.tasks.knowledge.session import saved_outcome
    from llmops.tasks.ledger import open_ledger

    found = saved_outcome(open_ledger(home), str(state.state_details.flow_run_id))
    if found is not None:
        return found
    state.result(raise_on_failure=True)
    raise LlmopsError(
        f"the flow ended in state {state.name} without an outcome",
        hint="see the run in the Prefect UI",
    )


def run_evaluation(home: Path, config: Any, **options: Any) -> dict[str, Any]:
    """Run the evaluate flow in this process and return its decision record. Raises what the flow
    raised.
    """
    server.connect(home)
    since = server.log_position(home)
    from llmops.flows.evaluate import (
        evaluate,
    )  # only now: Prefect reads its settings when it is imported

    record = _saved(home, evaluate(config, home, return_state=True, **options))
    return {
        **record,
        "remarks": [
            *record["remarks"],
            *(f"Prefect's server: {line}" for line in server.log_errors(home, since)),
        ],
    }
