"""A web site on this machine that behaves, or misbehaves, as it is told, and remembers who asked
for what.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]
PARAGRAPH = (
    "The {name} department answers within {number} days, and it keeps a record of every "
    "question that it was asked. "
)


@dataclass
class Answer:
    """What a path answers. `validators`: with an ETag, so that 304 is possible; `fails`: statuses
    given before the real one.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    validators: bool = True
    fails: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    behave: Behaviour | None = None


class Site:
    """`log`: (path with parameters, status) in order; `times`: when each came; `seen`: the headers
    of each.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.log: list[tuple[str, int]] = []
        self.seen: list[dict[str, str]] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_GET(self) -> None:
                site.serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the tests look at `log`."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def page(
        self,
        path: str,
        text: str = "",
        links: Sequence[str] = (),
        *,
        title: str = "",
        head: str = "",
        **answer: Any,
    ) -> None:
        """A web page with a text and links."""
        anchors = "".join(f'<li><a href="{link}">see</a></li>' for link in links)
        body = (
            f"<!DOCTYPE "
            f"html><html><head><title>{title or path}</title>{head}</head><body><p>{text}</p><ul>{anchors}</ul></body></html>"  # noqa: E501
        )
        self.put(path, body.encode(), "text/html; charset=utf-8", **answer)

    def put(
        self, path: str, body: bytes = b"", media_type: str = "text/html", **answer: Any
    ) -> None:
        headers = {
            **({"Content-Type": media_type} if media_type else {}),
            **answer.pop("headers", {}),
        }
        self.answers[path] = Answer(body, headers=headers, **answer)

    def moved(self, path: str, target: str, status: int = 301) -> None:
        self.answers[path] = Answer(status=status, headers={"Location": target})

    def sitemap(self, path: str, urls: Sequence[str], kind: str = "urlset") -> None:
        inner = "url" if kind == "urlset" else "sitemap"
        rows = "".join(f"<{inner}><loc>{url}</loc></{inner}>" for url in urls)
        self.put(
            path,
            f'<?xml version="1.0"?><{kind} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</{kind}>'.encode(),
            "application/xml",
        )

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        with self.lock:
            self.seen.append({name.lower(): value for name, value in handler.headers.items()})
            self.times.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            self._serve(
                handler, self.answers.get(handler.path, Answer(b"not here", 404, validators=False))
            )
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True
        finally:
            with self.lock:
                self.at_once -= 1

    def _serve(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.behave:
            self.log.append((handler.path, 0))
            answer.behave(handler)
            return
        tag = f'"{hashlib.sha256(answer.body).hexdigest()[:12]}"'
        status, headers, body = answer.status, dict(answer.headers), answer.body
        if answer.fails:
            status, headers = answer.fails.pop(0)
            body = b"later"
        elif status == 200 and answer.validators:
            headers["ETag"] = tag
            if handler.headers.get("If-None-Match") == tag:
                status, body = 304, b""
        self.log.append((handler.path, status))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 304 and "Transfer-Encoding" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def statuses(self, path: str) -> list[int]:
        """What was answered to requests for a path."""
        return [status for asked, status in self.log if asked == path]

    def count(self, status: int) -> int:
        return sum(given == status for path, given in self.log if path != "/robots.txt")

    def clear(self) -> None:
        self.log.clear()
        self.seen.clear()


class Server(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()


def handbook(site: Site, pages: int) -> None:
    """A site of so many pages: ten sections of equal size, reached from the root."""
    sections = [f"/s{number}/" for number in range(10)]
    site.page("/", "Everything that the house knows.", sections, title="Handbook")
    for number, section in enumerate(sections):
        own = [f"{section}p{page}.html" for page in range((pages - 11) // 10)]
        site.page(
            section,
            f"Section {number} of the handbook lists its pages.",
            [*own, "/"],
            title=f"Section {number}",
        )
        for page, path in enumerate(own):
            site.page(
                path,
                PARAGRAPH.format(name=f"{number}-{page}", number=page + 2) * 3,
                [section, "/"],
                title=f"Page {number}.{page}",
            )


def drip(seconds: float, *, headers: bool = False) -> Behaviour:
    """A byte now and then, for ever: of the body, or already of the headers."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        start = (
            b"HTTP/1.1 200 OK\r\nX-Slow: "
            if headers
            else b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
        )
        handler.wfile.write(start)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            handler.wfile.write(b"x")
            time.sleep(seconds)

    return behave


def flood(handler: BaseHTTPRequestHandler) -> None:
    """As much as the client takes."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    for _ in range(100_000):
        handler.wfile.write(b"<p>more and more</p>" * 3000)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    handler.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<p>half"
    )
    handler.close_connection = True
