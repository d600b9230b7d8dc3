"""A flow run that starts while the Prefect server is being started again waits for it."""

import http.server
import threading
import time

from llmops.deployments.flow_run import wait_for_server
from llmops.deployments.up.ports import any_free


class Refusing(http.server.BaseHTTPRequestHandler):
    """It answers, that is all."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_it_waits_until_something_answers() -> None:
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
    assert not wait_for_server(f"http://127.0.0.1:{any_free()}/api", 0.1)
