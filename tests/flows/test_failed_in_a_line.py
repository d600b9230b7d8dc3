"""A mistake of the user's in a run that nobody watches: one line in the log, which is also the
message of the failed state.
"""

from logging import getLogger
from logging.handlers import BufferingHandler
from typing import TYPE_CHECKING, Any, cast

import pytest

from llmops.tasks.errors import UsageError
from tests.laboratory import Laboratory

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

pytestmark = pytest.mark.slow


def test_a_missing_source_is_one_line_and_the_message_of_the_state(lab: Laboratory) -> None:
    """As a worker runs it: by Prefect's engine, with the path of the config."""
    from prefect.flow_engine import run_flow

    from llmops.flows.index import index

    config = lab.config(sources=[{"name": "files", "path": "nowhere"}])
    kept, prefect = BufferingHandler(10_000), getLogger("prefect")
    prefect.addHandler(kept)
    try:
        given = {"config": str(config), "home": str(lab.home)}
        state = cast("State[Any]", run_flow(index, parameters=given, return_type="state"))
    finally:
        prefect.removeHandler(kept)
    said = f"sources: files: path: {lab.folder / 'nowhere'} does not exist"
    assert (state.name, state.type.value) == ("Failed", "FAILED")
    assert str(state.message).startswith(said)
    assert [record.exc_info for record in kept.buffer if record.exc_info] == []
    (line,) = [record.getMessage() for record in kept.buffer if "nowhere" in record.getMessage()]
    assert said in line
    with pytest.raises(UsageError, match="nowhere does not exist"):
        state.result()


@pytest.mark.usefixtures("lab")  # else Prefect is imported before it has a server
def test_what_is_no_mistake_of_the_user_s_keeps_its_traceback() -> None:
    from llmops.flows.calling import ended_in_a_line

    @ended_in_a_line
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        broken()
