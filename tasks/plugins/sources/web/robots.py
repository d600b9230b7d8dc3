"""What a site allows: robots.txt by RFC 9309."""

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmops.tasks.plugins.sources._http.client import HttpClient, HttpReply, Trouble
from llmops.tasks.plugins.sources.web.urls import normal

if TYPE_CHECKING:
    from protego import Protego

HOPS = 5
LARGEST = 512 * 1024


class RobotsUnavailable(Exception):
    """The rules of a host cannot be had now, which forbids everything and proves nothing."""


class Robots:
    """The rules of every host that is met, each read once. With `heed` false, everything is
    allowed.
    """

    def __init__(
        self, client: HttpClient, user_agent: str, *, heed: bool, most_delay: float
    ) -> None:
        self._client, self._heed, self._most_delay = client, heed, most_delay
        self._agent = user_agent.split("/")[0].split()[0]
        self._rules: dict[str, Protego | str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def allows(self, url: str) -> bool:
        """Whether a page may be asked for. Raises RobotsUnavailable when the rules cannot be read
        now, Trouble when they never can.
        """
        if not self._heed:
            return True
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            lock = self._locks.setdefault(site, threading.Lock())
        with lock:
            if site not in self._rules:
                self._rules[site] = self._read(site)
        rules = self._rules[site]
        if isinstance(rules, str):
            raise RobotsUnavailable(
                f"{site}/robots.txt cannot be read ({rules}), which forbids everything for now"
            )
        return bool(rules.can_fetch(url, self._agent))

    def sitemaps(self, url: str) -> list[str]:
        """The addresses in the `Sitemap:` lines of a robots.txt. Raises Trouble when it cannot be
        read.
        """
        reply = self._fetched(url)
        if not reply.ok:
            raise Trouble(f"HTTP status {reply.status}")
        return [address for one in parsed(reply.body).sitemaps if (address := normal(one, url))]

    def _read(self, site: str) -> "Protego | str":
        """Parsed rules, or why there are none. Any 4xx answer but 429 means that there are no
        rules.
        """
        try:
            reply = self._fetched(f"{site}/robots.txt")
        except Trouble as trouble:
            if not trouble.retryable:
                raise
            return trouble.reason
        if reply.status == 429 or not (reply.ok or 400 <= reply.status < 500):
            return f"HTTP status {reply.status}"
        rules = parsed(reply.body if reply.ok else b"")
        pause = rules.crawl_delay(self._agent)
        self._client.host(site).turn.delay = min(float(pause or 0), self._most_delay)
        return rules

    def _fetched(self, url: str) -> HttpReply:
        for _ in range(HOPS + 1):
            reply = self._client.get(url)
            target = normal(reply.location, url) if reply.location else None
            if target is None:
                return reply
            url = target
        raise Trouble("too many redirects")


def parsed(data: bytes) -> "Protego":
    """The rules in a file; what is no robots.txt (a web page with status 200) holds none."""
    from protego import Protego

    return Protego.parse(data[:LARGEST].decode("utf-8-sig", "replace"))
