"""Classifiers as users write them, and a service of text classification."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORD = "quack"


def by_word(texts: Sequence[str]) -> list[float]:
    """Sure of every text with the word."""
    return [float(WORD in text) for text in texts]


def too_few(texts: Sequence[str]) -> list[float]:
    return [0.5]


def beyond_one(texts: Sequence[str]) -> list[float]:
    return [2.0 for _ in texts]


NO_FUNCTION = "a text"


class Service:
    """`answer` gives the JSON for what was asked; `asked`: path, headers and body of each."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer, self.url = answer, ""
        self.asked: list[tuple[str, dict[str, str], Any]] = []


@contextmanager
def classifying(answer: Callable[[Any], Any]) -> Iterator[Service]:
    """A service on this machine, until the end of the block."""
    service = Service(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append((self.path, headers, body))
            content = json.dumps(service.answer(body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
