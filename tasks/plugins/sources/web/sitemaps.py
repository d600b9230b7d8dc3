"""Addresses from sitemaps: indexes of them, packed ones, plain lists (https://www.sitemaps.org/protocol.html)."""

import zlib
from collections.abc import Callable, Iterator, Mapping

from llmops.tasks.plugins.sources._http.client import HttpClient, HttpReply, Trouble
from llmops.tasks.plugins.sources.web.robots import Robots
from llmops.tasks.plugins.sources.web.urls import normal

LARGEST = 64 * 2**20
MOST_FILES = 5000
HOPS = 5


class Sitemaps:
    """Reads sitemaps, and what they refer to, each once. What cannot be read is reported through
    `gap`.
    """

    def __init__(
        self,
        client: HttpClient,
        robots: Robots,
        inside: Callable[[str], bool],
        gap: Callable[[str], None],
        headers: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._client, self._robots, self._inside, self._gap, self._headers = (
            client,
            robots,
            inside,
            gap,
            headers,
        )
        self._seen: set[str] = set()

    def pages(self, urls: list[str]) -> Iterator[str]:
        """Every page of some sitemaps or robots.txt files, in order, possibly twice."""
        waiting = list(reversed(urls))
        while waiting:
            url = waiting.pop()
            if url in self._seen:
                continue
            if len(self._seen) >= MOST_FILES:
                self._gap(f"there are more than {MOST_FILES:,} sitemaps")
                return
            self._seen.add(url)
            try:
                files, pages = self._one(url)
            except Trouble as trouble:
                self._gap(f"the sitemap {url} cannot be read: {trouble.reason}")
                continue
            for one in reversed(files):
                if self._inside(one):
                    waiting.append(one)
                else:
                    self._gap(
                        f"the sitemap {one} is on another host; name it in `hosts` to have it read"
                    )
            yield from pages

    def _one(self, url: str) -> tuple[list[str], list[str]]:
        """Further sitemaps and pages in a file. Raises Trouble."""
        if url.endswith("/robots.txt"):
            return self._robots.sitemaps(url), []
        reply = self._fetched(url)
        return parsed(unpacked(reply.body), reply.url)

    def _fetched(self, url: str) -> HttpReply:
        for _ in range(HOPS + 1):
            reply = self._client.get(url, self._headers(url))
            target = normal(reply.location, url) if reply.location else None
            if target is None and not reply.ok:
                raise Trouble(f"HTTP status {reply.status}")
            if target is None:
                return reply
            url = target
        raise Trouble("too many redirects")


def unpacked(data: bytes) -> bytes:
    """The file itself. Raises Trouble for a damaged or an enormous one."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    unpacker = zlib.decompressobj(47)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise Trouble(f"it is damaged: {error}") from error
    if not unpacker.eof:
        raise Trouble(f"it is cut off, or has more than {LARGEST:,} bytes")
    return text


def parsed(data: bytes, base: str) -> tuple[list[str], list[str]]:
    """Sitemaps and pages that a file names, in order. Raises Trouble for what is no sitemap."""
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return [], _normal(data.decode("utf-8-sig", "replace").split(), base)
    from lxml import etree

    try:
        tree = etree.fromstring(
            data.lstrip(), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        )
    except etree.XMLSyntaxError as error:
        raise Trouble(f"it is no XML: {error}") from error
    kind = etree.QName(tree).localname
    if kind not in ("urlset", "sitemapindex"):
        raise Trouble(f"its root is <{kind}>, allowed are <urlset> and <sitemapindex>")
    addresses = _normal([one.text or "" for one in tree.iterfind("{*}*/{*}loc")], base)
    return (addresses, []) if kind == "sitemapindex" else ([], addresses)


def _normal(urls: list[str], base: str) -> list[str]:
    return [address for one in urls if (address := normal(one, base))]
