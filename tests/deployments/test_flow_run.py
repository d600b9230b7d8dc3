"""A flow run that starts while the Prefect server is being started again waits for it."""

import http.server
import threading
import time
from logging.handlers import BufferingHandler

import pytest

from llmops.deployments.up.ports import any_free
from llmops.tasks.errors import ConfigError, Mistake


class Refusing(http.server.BaseHTTPRequestHandler):
    """It answers, that is all."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_it_waits_until_something_answers() -> None:
    from llmops.deployments.flow_run import wait_for_server

    port = any_free()
    servers: list[http.server.HTTPServer] = []

    def later() -> None:
        time.sleep(0.3)
        servers.append(http.server.HTTPServer(("127.0.0.1", port), Refusing))
        servers[0].handle_request()
        servers[0].server_close()

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    assert wait_for_server(f"http://127.0.0.1:{port}/api", 30)
    thread.join(5)


def test_its_patience_ends() -> None:
    from llmops.deployments.flow_run import wait_for_server

    assert not wait_for_server(f"http://127.0.0.1:{any_free()}/api", 0.1)


def test_a_run_that_ended_in_a_state_that_says_why_leaves_no_traceback() -> None:
    """With Prefect's own handling of what a run raises."""
    from prefect.engine import engine_logger, handle_engine_signals
    from prefect.exceptions import CancelledRun, FailedRun

    from llmops.deployments.flow_run import SaidAlready

    said, kept = SaidAlready(), BufferingHandler(100)
    engine_logger.addFilter(said)
    engine_logger.addHandler(kept)
    try:
        for error in (
            FailedRun("1 of 2 parts failed"),
            CancelledRun("covered"),
            ConfigError([Mistake("no such file")]),
            RuntimeError("a bug"),
        ):
            with pytest.raises(SystemExit), handle_engine_signals():
                raise error
    finally:
        engine_logger.removeHandler(kept)
        engine_logger.removeFilter(said)
    told = [record.exc_info[1] for record in kept.buffer if record.exc_info]
    assert [str(error) for error in told] == ["a bug"]
