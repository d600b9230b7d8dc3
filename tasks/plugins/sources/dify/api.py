"""Dify's service API, as far as documents are read through it (https://docs.dify.ai, API reference,
Knowledge).
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    TransientDocumentError,
    Unavailable,
    UsageError,
)
from llmops.tasks.plugins.sources._http.client import HttpClient, HttpReply, Trouble

PAGE = 100
WHERE = "sources: dify"
RATE_LIMIT = "rate limit"
RATE_WINDOW = 60.0
LEAST_OVERLAP, MOST_OVERLAP = 12, 4000
MARKDOWN = (".md", ".markdown", ".mdx")


class Silent(Unavailable):
    """Dify has failed so often that it is not asked again: no fault of one document."""


class Api:
    """The documents and segments of one knowledge base ("dataset" in Dify's words).

    Its rate limit is answered with 403 and counts requests of a minute, so a pause of up to
    `most_wait` seconds is tried `retries` times.
    """

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        dataset: str,
        key: str,
        *,
        retries: int,
        most_wait: float,
        headers: Mapping[str, str],
    ) -> None:
        self._client, self._base, self._headers = (
            client,
            f"{base_url}/datasets/{dataset}",
            {**headers, "Authorization": f"Bearer {key}"},
        )
        self._retries, self._pause = retries, min(most_wait, RATE_WINDOW / 2)

    def try_out(self) -> None:
        """Ask for one document. Raises what `documents` does."""
        with _refused_as_a_whole():
            self.get("/documents", page=1, limit=1)

    def documents(self) -> tuple[list[dict[str, Any]], str]:
        """Every document, and "" or why there may be others: pages shift when something is added or
        deleted meanwhile.

        Raises UsageError (key, address), Blocked (no such knowledge base), Unavailable.
        """
        for _ in range(2):
            with _refused_as_a_whole():
                documents, totals = self._all("/documents")
            if totals == {len(documents)}:
                return documents, ""
        return (
            documents,
            f"the knowledge base changed while it was listed: {len(documents)} documents seen, "
            f"{max(totals)} announced",
        )

    def segments(self, document: str) -> list[dict[str, Any]]:
        """The segments of a document by position. Raises DocumentError, TransientDocumentError,
        UsageError, Silent.
        """
        try:
            segments, totals = self._all(f"/documents/{document}/segments")
        except Blocked as error:
            raise TransientDocumentError(
                "the document was there when it was listed, but is gone now"
            ) from error
        except Silent:
            raise
        except Unavailable as error:
            raise TransientDocumentError(error.message) from error
        if totals != {len(segments)}:
            raise TransientDocumentError("the document changed while it was read")
        return sorted(segments, key=lambda one: (one.get("position") or 0, str(one.get("id"))))

    def original(self, document: str) -> str | None:
        """The address of the file that a document was made of; None when there is none, or Dify is
        too old to give it.
        """
        try:
            return str(self.get(f"/documents/{document}/download")["url"])
        except (Blocked, KeyError):
            return None
        except Unavailable as error:
            raise TransientDocumentError(error.message) from error

    def tags(self) -> list[str]:
        """The names of the knowledge base's tags; none where Dify is too old to give them."""
        try:
            return sorted(str(one["name"]) for one in self.get("/tags").get("data", []))
        except (Blocked, DocumentError):
            return []

    def _all(self, path: str) -> tuple[list[dict[str, Any]], set[int]]:
        """Every row of a list, each once, and the totals that its pages announced."""
        rows: dict[str, dict[str, Any]] = {}
        totals = set()
        for page in self._pages(path):
            before = len(rows)
            rows |= {str(row["id"]): row for row in page["data"]}
            totals.add(int(page.get("total", len(rows))))
            if len(rows) == before:
                break
        return list(rows.values()), totals

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Pages until there are no more. Dify before 1.1 gives all segments at once, whatever page
        is asked for.
        """
        number, more = 1, True
        while more:
            page = self.get(path, page=number, limit=PAGE)
            if not isinstance(page.get("data"), list):
                raise Unavailable(
                    f"{self._base}{path} answers without `data`",
                    where=WHERE,
                    hint="is this Dify's service API?",
                )
            yield page
            number, more = number + 1, bool(page.get("has_more"))

    def get(self, path: str, **parameters: Any) -> Mapping[str, Any]:
        """An answer. Raises UsageError, Blocked (404), Unavailable, DocumentError (what Dify says
        against this one request).
        """
        url = f"{self._base}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        for _ in range(self._retries):
            reply = self._asked(url)
            if not (reply.status == 403 and RATE_LIMIT in _said(reply)):
                break
            time.sleep(self._pause)
        else:
            reply = self._asked(url)
        _judge(reply)
        return _object(reply)

    def _asked(self, url: str) -> HttpReply:
        try:
            return self._client.get(url, self._headers)
        except Trouble as trouble:
            kind = UsageError if not trouble.retryable else Unavailable if trouble.asked else Silent
            raise kind(
                f"Dify does not answer: {trouble.reason}",
                where=WHERE,
                hint="check `base_url` and the network",
            ) from trouble


@contextmanager
def _refused_as_a_whole() -> Iterator[None]:
    """What Dify says against a request for the list is said against the configuration."""
    try:
        yield
    except DocumentError as error:
        raise UsageError(
            error.reason, where=WHERE, hint="check `dataset` and `base_url`"
        ) from error


def _judge(reply: HttpReply) -> None:
    """Raise what a refusal means."""
    said = _said(reply)
    if reply.location:
        raise UsageError(
            f"Dify's address has moved to {reply.location.split('/datasets/')[0][:200]}",
            where=f"{WHERE}: base_url",
            hint="write the new one",
        )
    if reply.status == 401:
        raise UsageError(
            f"Dify does not accept the API key: {said}",
            where=f"{WHERE}: api_key",
            hint="a key of the knowledge base API (Knowledge → Service API → API Key) is "
            "wanted, not one of an app",
        )
    if reply.status == 403 and RATE_LIMIT not in said:
        raise UsageError(
            f"Dify forbids it: {said}",
            where=WHERE,
            hint="switch API access on, in the knowledge base's settings",
        )
    if reply.status in (404, 405):
        raise Blocked(
            f"Dify does not know it: {said}",
            where=f"{WHERE}: dataset",
            hint="check `dataset` and `base_url` (it ends in /v1)",
        )
    if reply.status in (403, 408, 425, 429) or reply.status >= 500:
        raise Unavailable(
            f"Dify answers with HTTP status {reply.status}: {said}",
            where=WHERE,
            hint="try again later",
        )
    if not reply.ok:
        raise DocumentError(f"Dify answers with HTTP status {reply.status}: {said}")


def _said(reply: HttpReply) -> str:
    """The message of an error, "" where it has none."""
    try:
        content = json.loads(reply.body)
    except ValueError:
        return ""
    return str(content.get("message", ""))[:300] if isinstance(content, dict) else ""


def _object(reply: HttpReply) -> Mapping[str, Any]:
    try:
        content = json.loads(reply.body)
    except ValueError as error:
        raise UsageError(
            f"the answer is {reply.media_type or 'of no kind'}, not JSON",
            where=f"{WHERE}: base_url",
            hint="the address of the service API ends in /v1",
        ) from error
    if not isinstance(content, dict):
        raise UsageError(
            "the answer is no object",
            where=f"{WHERE}: base_url",
            hint="is this Dify's service API?",
        )
    return content


def text_of(segments: Iterable[Mapping[str, Any]], *, disabled: bool) -> str:
    """The text of a document: its segments by position, questions with their answers; what two
    neighbours share stands once.
    """
    text = ""
    for segment in segments:
        if not disabled and segment.get("enabled") is False:
            continue
        piece = "\n".join(
            part.strip()
            for part in (segment.get("content"), segment.get("answer"))
            if part and part.strip()
        )
        shared = overlap(text, piece)
        text += piece[shared:] if shared else ("\n\n" if text and piece else "") + piece
    return text


def overlap(before: str, after: str) -> int:
    """How many characters at the end of one piece are repeated at the start of the next: Dify's
    splitters do that on purpose.
    """
    longest = min(len(before), len(after), MOST_OVERLAP)
    return next(
        (size for size in range(longest, LEAST_OVERLAP - 1, -1) if before.endswith(after[:size])), 0
    )


def metadata_of(document: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """A document's own metadata by name: times as ISO 8601, numbers as numbers; and the knowledge
    base's tags.
    """
    own = {
        str(one["name"]): _value(one.get("type"), one.get("value"))
        for one in document.get("doc_metadata") or []
        if one.get("name")
    }
    return ({"tags": list(tags)} if tags else {}) | {
        name: value for name, value in own.items() if value not in (None, "")
    }


def _value(kind: object, value: object) -> object:
    if kind == "time" and isinstance(value, int | float | str):
        return _moment(value)
    if kind == "number" and isinstance(value, str):
        return next((number for number in _numbers(value)), value)
    return value


def _moment(value: float | str) -> float | str:
    seconds = next(iter(_numbers(str(value))), None)
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds is not None else value
    except (OverflowError, OSError, ValueError):
        return value


def _numbers(text: str) -> Iterable[float]:
    for kind in (int, float):
        try:
            yield kind(text)
        except ValueError:
            continue


def media_type_of(name: str) -> str:
    """What the text of a document is: its headings are marked as in the original, where that was
    Markdown.
    """
    return "text/markdown" if PurePosixPath(name.lower()).suffix in MARKDOWN else "text/plain"
