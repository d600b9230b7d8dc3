"""Pages of web sites, found by links and sitemaps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from llmops.tasks.errors import TransientDocumentError, Unavailable, UsageError
from llmops.tasks.plugins.sources import Item, Raw, Report
from llmops.tasks.plugins.sources._http import HttpSource, as_document_error
from llmops.tasks.plugins.sources._http.client import HttpClient, Trouble
from llmops.tasks.plugins.sources._spool import SPOOL
from llmops.tasks.plugins.sources.web.crawl import Crawl
from llmops.tasks.plugins.sources.web.memory import CrawlMemory
from llmops.tasks.plugins.sources.web.page import told, unified
from llmops.tasks.plugins.sources.web.robots import Robots, RobotsUnavailable
from llmops.tasks.plugins.sources.web.sitemaps import Sitemaps
from llmops.tasks.plugins.sources.web.urls import CrawlScope, host_of, normal
from llmops.tasks.plugins.sources.web.visit import Visitor
from llmops.tasks.texts.addresses import COMMON

TAKEN = (
    "text/html",
    "application/xhtml+xml",
    "text/plain",
    "text/markdown",
    "text/csv",
    "application/pdf",
    "application/rtf",
    "text/rtf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
    "application/vnd.ms-*",
    "application/epub+zip",
)
TRACKING = ("utm_*", *COMMON, "phpsessid", "jsessionid")
CHECKED = 3
Pattern = Annotated[str, Field(min_length=1)]


class WebSource(HttpSource):
    """Every page that `start` leads to within `depth` links, and every page that `sitemaps` name (a
    sitemap, an index of them, or a robots.txt with `Sitemap:` lines), on the same hosts and those
    of `hosts` (patterns). Links of sitemap pages are not followed.

    `include` and `exclude` are patterns of paths (`docs/**`), or of whole addresses where they
    begin with `http`. Where more than `max_pages` addresses would be asked for, the listing is not
    complete. `media_types` are patterns of what is taken. `ignore_query` names parameters that make
    no other page. With `robots` (default) robots.txt and the pages' own wishes count. Without
    `allow_private` no address of this machine or its networks is asked. `headers` go to the hosts
    of `start` and `sitemaps` only.
    """

    start: list[str] = Field(default_factory=list)
    sitemaps: list[str] = Field(default_factory=list)
    hosts: list[Pattern] = Field(default_factory=list)
    include: list[Pattern] = Field(default_factory=list)
    exclude: list[Pattern] = Field(default_factory=list)
    depth: int = Field(default=3, ge=0)
    max_pages: int = Field(default=10_000, gt=0)
    media_types: list[Pattern] = Field(default=list(TAKEN), min_length=1)
    ignore_query: list[Pattern] = Field(default=list(TRACKING))
    robots: bool = True
    allow_private: bool = False
    _memory: Path | None = PrivateAttr(None)

    @field_validator("start", "sitemaps")
    @classmethod
    def _addresses(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if normal(url) is None:
                raise ValueError(
                    f"{url!r} is no address of a page; allowed are http:// and https:// with a host"
                )
            if "@" in urlsplit(url).netloc:
                raise ValueError(
                    "an address with a user and a password; put them into `headers` "
                    '(Authorization), as "${NAME}"'
                )
        return list(dict.fromkeys(str(normal(url)) for url in urls))

    @model_validator(mode="after")
    def _begins_somewhere(self) -> "WebSource":
        if not self.start and not self.sitemaps:
            raise ValueError(
                "nothing says where to begin; give `start` (pages), `sitemaps`, or both"
            )
        return self

    def remembering(self, memory: Path) -> "WebSource":
        own = self.model_copy()
        own._memory = memory
        return own

    def check(self) -> None:
        """Raise UsageError when the first addresses do not exist, are private or forbidden,
        Unavailable when nobody answers.
        """
        with self._asking() as (client, robots):
            for url in [*self.start[:CHECKED], *self.sitemaps[:CHECKED]]:
                self._exists(client, robots, url)

    def scan(self, report: Report) -> str:
        """Report every page. Raises Unavailable when nothing at all can be read.

        A page that failed makes the listing incomplete unless it never was one; 404 and 410 mean
        that a page is gone.
        """
        SPOOL.forget(self._owner)
        with self._asking() as (client, robots), CrawlMemory(self._memory, self._kind) as memory:
            hosts = [*map(host_of, [*self.start, *self.sitemaps]), *self.hosts]
            scope = CrawlScope(hosts, self.include, self.exclude)
            visitor = Visitor(
                client,
                robots,
                memory,
                media_types=self.media_types,
                ignored=self.ignore_query,
                heed=self.robots,
                headers=self._own_headers,
                elsewhere=lambda url: not scope.inside(url),
                keep=lambda key, data, kind: SPOOL.put(self._owner, key, data, kind),
            )
            crawl = Crawl(visitor.visit, memory, scope, depth=self.depth, max_pages=self.max_pages)
            listed = Sitemaps(
                client, robots, scope.inside, crawl.gaps.append, self._own_headers
            ).pages(self.sitemaps)
            return crawl.run(
                [normal(url, "", self.ignore_query) or url for url in self.start], listed, report
            )

    def read(self, item: Item) -> Raw:
        """The page that the listing fetched, else as it is now. Raises DocumentError,
        TransientDocumentError.
        """
        kept = SPOOL.take(self._owner, item.revision)
        data, media_type = kept or self._fetched(item.locator)
        return Raw(data=data, media_type=told(media_type, data))

    def content_hash(self, item: Item) -> str | None:
        """The SHA-256 of the page, which the listing knows: the one that was fetched, or the one
        that is still the same.
        """
        return item.revision

    @property
    def _kind(self) -> str:
        """What records of pages depend on."""
        return f"{self.revision} {self.robots} {self.ignore_query} {self.media_types}"

    @property
    def _owner(self) -> str:
        return str(self._memory or self.fingerprint())

    def _own_headers(self, url: str) -> Mapping[str, str]:
        return (
            self.headers
            if host_of(url) in {host_of(one) for one in [*self.start, *self.sitemaps]}
            else {}
        )

    @contextmanager
    def _asking(self) -> Iterator[tuple[HttpClient, Robots]]:
        with self.client(allow_private=self.allow_private) as client:
            yield (
                client,
                Robots(client, self.user_agent, heed=self.robots, most_delay=self.max_wait),
            )

    def _exists(self, client: HttpClient, robots: Robots, url: str) -> None:
        where = f"sources: web: {'start' if url in self.start else 'sitemaps'}"
        try:
            if url in self.start and not robots.allows(url):
                raise UsageError(
                    f"robots.txt does not allow {url}",
                    where=where,
                    hint="`robots: false` is for a site of your own",
                )
            reply = client.get(url, self._own_headers(url), lambda _: False)
        except RobotsUnavailable as error:
            raise Unavailable(
                str(error),
                where=where,
                hint="try again later; `robots: false` for a site of your own",
            ) from error
        except Trouble as trouble:
            kind, hint = (
                (Unavailable, "check the network and the spelling of the address")
                if trouble.retryable
                else (UsageError, "")
            )
            raise kind(
                f"{url} cannot be read: {trouble.reason}", where=where, hint=hint
            ) from trouble
        if reply.status in (404, 410):
            raise UsageError(
                f"{url} does not exist (HTTP status {reply.status})",
                where=where,
                hint="check the spelling of the address",
            )

    def _fetched(self, url: str) -> tuple[bytes, str]:
        try:
            with self.client(allow_private=self.allow_private) as client:
                reply = client.get(url, self._own_headers(url), lambda reply: reply.ok)
        except Trouble as trouble:
            raise as_document_error(trouble) from trouble
        if not reply.ok or not any(
            fnmatchcase(reply.media_type, pattern) for pattern in [*self.media_types, ""]
        ):
            raise TransientDocumentError(
                f"the page changed since it was listed: HTTP status {reply.status}, "
                f"{reply.media_type}"
            )
        return unified(reply.body, reply.headers), reply.media_type
