"""One address: asked for, unless forbidden; answered from memory where nothing has changed; and
what came of it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llmops.tasks.plugins.sources._http.client import HttpClient, HttpReply, Trouble
from llmops.tasks.plugins.sources.web.memory import CrawlMemory, PageRecord
from llmops.tasks.plugins.sources.web.page import facts, is_html, unified
from llmops.tasks.plugins.sources.web.robots import Robots, RobotsUnavailable
from llmops.tasks.plugins.sources.web.urls import host_of, normal
from llmops.tasks.schemas import sha256

FRESH_SECONDS = 2
FOR_NOW = (302, 303, 307)
Kind = Literal["page", "moved", "gone", "forbidden", "failed"]


class Visit(BaseModel):
    """What became of an address. `record`: of a page, or what is remembered of one that failed;
    `target`: where a moved one is now.
    """

    model_config = ConfigDict(frozen=True)
    url: str
    kind: Kind
    record: PageRecord | None = None
    target: str = ""
    reason: str = ""
    retryable: bool = False
    unproven: bool = False
    asked: bool = True


class Visitor:
    """Visits addresses. `keep` gets the bytes and the media type of every page that is not as it
    was. A page that was there and is sent `elsewhere` for now (to a log-in, to a portal) has
    failed; it is not gone."""

    def __init__(
        self,
        client: HttpClient,
        robots: Robots,
        memory: CrawlMemory,
        *,
        media_types: Sequence[str],
        ignored: Sequence[str],
        heed: bool,
        headers: Callable[[str], Mapping[str, str]],
        elsewhere: Callable[[str], bool],
        keep: Callable[[str, bytes, str], None],
    ) -> None:
        self._client, self._robots, self._memory, self._keep, self._headers = (
            client,
            robots,
            memory,
            keep,
            headers,
        )
        self._elsewhere = elsewhere
        self._media_types, self._ignored, self._heed = media_types, ignored, heed

    def visit(self, url: str) -> Visit:
        """Ask for one address. Whatever goes wrong is in the answer."""
        known = self._memory.get(url)
        try:
            if not self._robots.allows(url):
                return Visit(url=url, kind="forbidden", asked=False)
            reply = self._client.get(
                url,
                {**self._headers(url), **(known.conditions if known else {})},
                lambda reply: reply.ok and self._takes(reply.media_type),
            )
            return self._visit(url, reply, known)
        except RobotsUnavailable as error:
            return self._failed(url, str(error), known, retryable=True, asked=False)
        except Trouble as trouble:
            return self._failed(
                url, trouble.reason, known, retryable=trouble.retryable, asked=trouble.asked
            )

    def _takes(self, media_type: str) -> bool:
        return not media_type or any(
            fnmatchcase(media_type, pattern) for pattern in self._media_types
        )

    def _visit(self, url: str, reply: HttpReply, known: PageRecord | None) -> Visit:
        if reply.status == 304 and known:
            return Visit(url=url, kind="page", record=known)
        if reply.status in (404, 410):
            return Visit(url=url, kind="gone", record=known, reason=f"HTTP status {reply.status}")
        target = normal(reply.location, url, self._ignored) if reply.location else None
        if target and known and reply.status in FOR_NOW and self._elsewhere(target):
            return self._failed(
                url,
                f"it leads to {host_of(target)} for now (HTTP status {reply.status})",
                known,
                retryable=True,
            )
        if target:
            return Visit(url=url, kind="moved", target=target)
        if reply.status in (200, 203):
            return Visit(url=url, kind="page", record=self._page(url, reply, known))
        return self._failed(
            url,
            f"HTTP status {reply.status}",
            known,
            retryable=reply.status in (408, 425, 429) or reply.status >= 500,
        )

    def _failed(
        self,
        url: str,
        reason: str,
        known: PageRecord | None,
        *,
        retryable: bool,
        asked: bool = True,
    ) -> Visit:
        """`unproven`: pages that only this one leads to cannot be told from pages that are gone."""
        unproven = retryable or known is not None or self._memory.empty
        return Visit(
            url=url,
            kind="failed",
            record=known,
            reason=reason,
            retryable=retryable,
            unproven=unproven,
            asked=asked,
        )

    def _page(self, url: str, reply: HttpReply, known: PageRecord | None) -> PageRecord:
        seen = {
            "etag": reply.headers.get("etag", ""),
            "modified": _trusted(reply.headers),
            "media_type": reply.media_type,
            "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        if self._takes(reply.media_type):
            html = is_html(reply.media_type, reply.body)
            data = unified(reply.body, reply.headers)
            own = facts(data, url, reply.headers, self._ignored, heed=self._heed) if html else None
            record = PageRecord(url=url, sha256=sha256(data), size=len(data), **seen)
            if own:
                record = record.model_copy(
                    update=own.model_dump(exclude={"index"}) | {"shown": own.index}
                )
            if known is None or known.sha256 != record.sha256:
                self._keep(record.sha256, data, reply.media_type)
        else:
            record = PageRecord(url=url, **seen)
        self._memory.put(record)
        return record


def _trusted(headers: Mapping[str, str]) -> str:
    """Last-Modified, but not that of a page which may change once more within the same second (RFC
    9110, 8.8.2.2).
    """
    said = headers.get("last-modified", "")
    try:
        age = parsedate_to_datetime(headers["date"]) - parsedate_to_datetime(said)
    except (KeyError, TypeError, ValueError):
        return ""
    return said if age.total_seconds() >= FRESH_SECONDS else ""
