"""A local stand-in of an OpenAI-compatible service: chat completions and embeddings, with faults on demand."""

import base64
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tasks.embedders.hash import Hash

Body = dict[str, Any]


class Answer(NamedTuple):
    """What to answer instead of the usual."""

    status: int
    body: bytes = b'{"error": {"message": "as the script says"}}'
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    content_type: str = "application/json"


class Service:
    """`requests`: (path, body, Authorization) of every request. `script`: answers that are given first, one each; None is
    the usual one. `reply` makes the text of a completion from the messages; embeddings are those of `hash`."""

    def __init__(self, reply: Callable[[list[Body]], str]) -> None:
        self.reply, self.base_url = reply, ""
        self.requests: list[tuple[str, Body, str]] = []
        self.script: list[Answer | None] = []
        self.key = ""
        self.lock = threading.Lock()

    def answer(self, path: str, body: Body, authorization: str) -> Answer:
        with self.lock:
            self.requests.append((path, body, authorization))
            scripted = self.script.pop(0) if self.script else None
        if scripted is not None:
            return scripted
        if self.key and authorization != f"Bearer {self.key}":
            return Answer(401, b'{"error": {"message": "Incorrect API key provided"}}')
        made = {"/v1/chat/completions": self._completion, "/v1/embeddings": self._embeddings}.get(path)
        return Answer(200, json.dumps(made(body)).encode()) if made else Answer(404, b"<html>not here</html>", {}, "text/html")

    def _completion(self, body: Body) -> Body:
        text = self.reply(body["messages"])
        size = sum(len(message["content"].split()) for message in body["messages"])
        return {"id": "1", "object": "chat.completion", "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": size, "completion_tokens": len(text.split()), "total_tokens": size + len(text.split())}}

    def _embeddings(self, body: Body) -> Body:
        """Backwards, since the API promises an `index`, not an order."""
        vectors = Hash().embed(body["input"])[:, :body.get("dimensions") or 384] * 3
        plain = body.get("encoding_format") != "base64"
        rows = [{"object": "embedding", "index": n, "embedding": row.tolist() if plain else
                 base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()} for n, row in enumerate(vectors)]
        count = sum(Hash().count(text) for text in body["input"])
        return {"object": "list", "model": body["model"], "data": rows[::-1], "usage": {"prompt_tokens": count, "total_tokens": count}}


@contextmanager
def serving(reply: Callable[[list[Body]], str] = lambda messages: str(messages[-1]["content"])) -> Iterator[Service]:
    """A service on a free port of this machine; `base_url` leads to it."""
    service = Service(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = service.answer(self.path, body, self.headers.get("Authorization", ""))
            self.send_response(found.status)
            for name, value in {"Content-Type": found.content_type, "Content-Length": str(len(found.body)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    service.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
