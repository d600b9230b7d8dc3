"""Dify's service API, as far as documents are read through it (https://docs.dify.ai, API reference,
Knowledge).
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    TransientDocumentError,
    Unavailable,
    UsageError,
)
from llmops.tasks.plugins.sources._http.client import HttpClient
from llmops.tasks.plugins.sources._http.reply import HttpReply, Trouble

PAGE = 100
WHERE = "sources: dify"
RATE_LIMIT = "rate limit"
RATE_WINDOW = 60.0


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
                found, totals = self._all("/documents")
            if totals == {len(found)}:
                return found, ""
        return (
            found,
            f"the knowledge base changed while it was listed: {len(found)} documents seen, "
            f"{max(totals)} announced",
        )

    def segments(self, document: str) -> list[dict[str, Any]]:
        """The segments of a document by position. Raises DocumentError, TransientDocumentError,
        UsageError, Silent.
        """
        try:
            found, totals = self._all(f"/documents/{document}/segments")
        except Blocked as error:
            raise TransientDocumentError(
                "the document was there when it was listed, but is gone now"
            ) from error
        except Silent:
            raise
        except Unavailable as error:
            raise TransientDocumentError(error.message) from error
        if totals != {len(found)}:
            raise TransientDocumentError("the document changed while it was read")
        return sorted(found, key=lambda one: (one.get("position") or 0, str(one.get("id"))))

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
        found: dict[str, dict[str, Any]] = {}
        totals = set()
        for page in self._pages(path):
            before = len(found)
            found |= {str(row["id"]): row for row in page["data"]}
            totals.add(int(page.get("total", len(found))))
            if len(found) == before:
                break
        return list(found.values()), totals

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
