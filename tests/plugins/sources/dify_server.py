"""A stand-in of Dify's service API for knowledge bases, built to its published specification.

What it keeps to: bearer keys (401), unknown knowledge bases and documents (404 `not_found`), API
access switched off (403), the rate limit of a subscription (403 with its sentence), pages of at
most 100 ordered by creation, the newest first, `has_more` as "the page is full", and documents
without a time of change. `legacy`: segments all at once, no tags, no downloads, as before 1.1.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.plugins.sources.site import Server

LIMIT = "Sorry, you have reached the knowledge base request rate limit of your subscription."
ROUTE = re.compile(r"/v1/datasets/([^/]+)/(documents|tags)(?:/([^/]+)/(segments|download))?")


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"code": code, "message": message, "status": status}


class DifyServer:
    """`documents` by id, newest first; `segments` by document id; `log`: the paths that were asked
    for.
    """

    def __init__(self) -> None:
        self.key, self.dataset = "dataset-tulipsAndHyacinths", str(uuid.UUID(int=7))
        self.documents: dict[str, dict[str, Any]] = {}
        self.segments: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes] = {}
        self.tags: list[str] = []
        self.log: list[str] = []
        self.keys_seen: list[str] = []
        self.legacy, self.enabled, self.limited, self.broken = False, True, 0, 0
        self.before: Callable[[str], None] = lambda path: None
        self.refuse: Callable[[str], None] = lambda path: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_GET(self) -> None:
                outer.serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the tests look at `log`."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.url = f"{self.host}/v1"

    def add(self, name: str, *pieces: str, file: bytes | None = None, **values: Any) -> str:
        """A document of some segments; its id."""
        own = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {len(self.documents)}"))
        uploaded = {"id": own, "name": name, "size": len(file or b""), "mime_type": "text/plain"}
        document = {
            "id": own,
            "position": len(self.documents) + 1,
            "data_source_type": "upload_file",
            "tokens": 12,
            "data_source_info": {"upload_file_id": own},
            "data_source_detail_dict": {"upload_file": uploaded},
            "dataset_process_rule_id": str(uuid.UUID(int=1)),
            "name": name,
            "created_from": "web",
            "created_at": 1741267200,
            "indexing_status": "completed",
            "error": None,
            "enabled": True,
            "disabled_at": None,
            "archived": False,
            "display_status": "available",
            "word_count": sum(map(len, pieces)),
            "hit_count": 0,
            "doc_form": "text_model",
            "doc_metadata": [],
        }
        self.documents = {own: document | values} | self.documents
        self.segments[own] = [
            self.segment(own, number, piece) for number, piece in enumerate(pieces, 1)
        ]
        if file is not None:
            self.files[own] = file
        return own

    def segment(self, document: str, position: int, content: str, **values: Any) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid5(uuid.UUID(document), str(position))),
            "position": position,
            "document_id": document,
            "content": content,
            "sign_content": "",
            "answer": "",
            "word_count": len(content),
            "tokens": 3,
            "keywords": [],
            "hit_count": 0,
            "enabled": True,
            "status": "completed",
            "created_at": 1741267200,
            "updated_at": 1741267200,
            "error": None,
            "child_chunks": [],
        } | values

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.log.append(handler.path)
        self.keys_seen.append(handler.headers.get("Authorization", ""))
        self.before(handler.path)
        status, kind = 200, "application/json"
        try:
            file = (
                self.files[handler.path.split("/")[2]]
                if handler.path.startswith("/files/")
                else None
            )
            body = json.dumps(self._answer(handler)).encode() if file is None else file
        except Refusal as refusal:
            status, body = refusal.status, json.dumps(refusal.body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _answer(self, handler: BaseHTTPRequestHandler) -> Any:
        parts = urlsplit(handler.path)
        route = ROUTE.fullmatch(parts.path)
        if not route:
            raise Refusal(404, "not_found", "The requested URL was not found on the server.")
        self._admit(handler.headers.get("Authorization", ""), route[1])
        self.refuse(parts.path)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        if route[2] == "tags":
            return (
                self._absent()
                if self.legacy
                else {
                    "data": [{"id": name, "name": name} for name in self.tags],
                    "total": len(self.tags),
                }
            )
        if route[3] is None:
            return self._page(list(self.documents.values()), query)
        if route[3] not in self.documents:
            raise Refusal(404, "not_found", "Document not found.")
        return (
            self._segments(route[3], query) if route[4] == "segments" else self._download(route[3])
        )

    def _admit(self, authorization: str, dataset: str) -> None:
        if " " not in authorization:
            raise Refusal(
                401, "unauthorized", "Authorization header must be provided and start with 'Bearer'"
            )
        if authorization != f"Bearer {self.key}":
            raise Refusal(401, "unauthorized", "Access token is invalid")
        if dataset != self.dataset:
            raise Refusal(404, "not_found", "Dataset not found.")
        if not self.enabled:
            raise Refusal(403, "forbidden", "Dataset api access is not enabled.")
        if self.limited:
            self.limited -= 1
            raise Refusal(403, "forbidden", LIMIT)
        if self.broken:
            self.broken -= 1
            raise Refusal(500, "internal_server_error", "Internal Server Error")

    def _segments(self, document: str, query: dict[str, int]) -> Any:
        own = sorted(self.segments[document], key=lambda one: one["position"])
        if self.legacy:
            return {
                "data": own,
                "doc_form": self.documents[document]["doc_form"],
                "total": len(own),
            }
        return self._page(own, query) | {"doc_form": self.documents[document]["doc_form"]}

    def _download(self, document: str) -> Any:
        if self.legacy or document not in self.files:
            raise Refusal(404, "not_found", "Document does not have an uploaded file to download.")
        return {
            "url": f"{self.host}/files/{document}/file-preview?timestamp=1&nonce=a%2Fb&sign=x%3D"
        }

    def _absent(self) -> Any:
        raise Refusal(404, "not_found", "The requested URL was not found on the server.")

    @staticmethod
    def _page(rows: list[Any], query: dict[str, int]) -> dict[str, Any]:
        page, limit = query.get("page", 1), query.get("limit", 20)
        own = rows[(page - 1) * min(limit, 100) : page * min(limit, 100)]
        return {
            "data": own,
            "has_more": len(own) == limit,
            "limit": limit,
            "total": len(rows),
            "page": page,
        }


@contextmanager
def running() -> Iterator[DifyServer]:
    dify = DifyServer()
    thread = threading.Thread(target=dify.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield dify
    finally:
        dify.server.shutdown()
        dify.server.server_close()
        thread.join()
