"""A webhook's other end: keeps what it is sent, and answers as it is told."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Receiver:
    """`received`: the data of each notice, in its order; `ids`: their ids; `asked`: the paths that
    were fetched, such as heartbeats; `status`: what it answers.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.asked: list[str] = []
        self.status, self.url = 204, ""

    @property
    def told(self) -> list[tuple[str, str]]:
        """(kind, key) of each notice."""
        return [(each["kind"], each["key"]) for each in self.received]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """One that listens on this machine."""
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status < 300:
                found.received.append(json.loads(body)["data"])
                found.ids.append(self.headers["webhook-id"])
            self._answer()

        def do_GET(self) -> None:
            found.asked.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        often = {"poll_interval": 0.01}
        threading.Thread(target=server.serve_forever, kwargs=often, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
