"""Addresses of pages: one spelling for each, and which of them belong to a source.

By hand, since an address is also the identity of a document. yarl was measured on 9,317 real
addresses: it decodes reserved characters (`%27`, `%2F` in a query), which by RFC 3986 (2.2) makes
another address, encodes `[]`, and takes hosts such as `h.de``, so that pages would change their
identity for 25 lines less.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from llmops.tasks.plugins.sources._globs import compiled

PORTS = {"http": 80, "https": 443}
LONGEST = 2000
ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")
KEPT = "/%:@!$&'()*+,;=~-._"
INDEX = re.compile(r"/(?:index\.(?:html?|php|aspx?|jsp))?$")


def normal(url: str, base: str = "", ignored: Sequence[str] = ()) -> str | None:
    """One spelling of an http or https address, None for anything else.

    Scheme and host in lower case, no default port, no user, no fragment, no dot segments, minimal
    escapes; parameters stay in their order, without those that `ignored` names.
    """
    try:
        return _spelt(
            urljoin(base, url.strip(" \t\r\n\f\0")) if base else url.strip(), tuple(ignored)
        )
    except ValueError:
        return None


@lru_cache(maxsize=50_000)
def _spelt(url: str, ignored: tuple[str, ...]) -> str | None:
    """Pages of a site have the same links, over and over."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, _host(parts)
    except ValueError:
        return None
    if parts.scheme not in PORTS or not host or "\\" in parts.netloc:
        return None
    place = host if port in (None, PORTS[parts.scheme]) else f"{host}:{port}"
    query = "&".join(one for one in parts.query.split("&") if one and not _is_ignored(one, ignored))
    address = f"{parts.scheme}://{place}{_dotless(_escaped(parts.path, KEPT))}" + (
        f"?{_escaped(query, KEPT + '?[]')}" if query else ""
    )
    return address if len(address) <= LONGEST else None


def _host(parts: SplitResult) -> str:
    """The host as it is asked for. Raises ValueError for what can be none."""
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        return f"[{host}]"
    if not host.isascii():
        import idna

        host = idna.encode(host, uts46=True).decode()
    if not re.fullmatch(r"[a-z0-9._-]+", host) or len(host) > 253:
        raise ValueError(host)
    return host


def _escaped(text: str, kept: str) -> str:
    text = ESCAPED.sub(_fewest, STRAY.sub("%25", text))
    return quote(text, safe=kept, errors="replace")


def _fewest(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return (
        letter if letter.isascii() and (letter.isalnum() or letter in "-._~") else match[0].upper()
    )


def _dotless(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/")[1:] if path.startswith("/") else path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    ends = path.endswith(("/.", "/..")) and (not kept or kept[-1])
    return "/" + "/".join(kept) + ("/" if ends and kept else "")


def _is_ignored(parameter: str, ignored: Sequence[str]) -> bool:
    name = unquote(parameter.split("=")[0]).lower()
    return any(fnmatchcase(name, pattern.lower()) for pattern in ignored)


def host_of(url: str) -> str:
    """Host and port of a normal address."""
    return urlsplit(url).netloc


def place_of(url: str) -> str:
    """What is the same for addresses that differ in scheme, `www.`, parameters, a closing slash or
    the name of an index page.
    """
    parts = urlsplit(url)
    return parts.netloc.removeprefix("www.") + (INDEX.sub("", parts.path) or "")


class CrawlScope:
    """Which addresses are followed and which become documents.

    `hosts` may hold patterns (`*.example.com`). Patterns of `include` and `exclude` are compared
    with the path (and with path and parameters); those that begin with `http` with the whole
    address.
    """

    def __init__(
        self, hosts: Sequence[str], include: Sequence[str], exclude: Sequence[str]
    ) -> None:
        self._hosts = list(hosts)
        self._include, self._exclude = [*map(compiled, include)], [*map(compiled, exclude)]

    def admit(self, url: str) -> None:
        """Count the host of an address in."""
        if not self.inside(url):
            self._hosts.append(host_of(url))

    def inside(self, url: str) -> bool:
        """Whether the host of an address belongs to the source."""
        host = host_of(url)
        return any(host == pattern or fnmatchcase(host, pattern) for pattern in self._hosts)

    def takes(self, url: str) -> bool:
        """Whether a page becomes a document, and is asked for where nobody named it as a start."""
        parts = urlsplit(url)
        path = parts.path.removeprefix("/")
        names = (path, f"{path}?{parts.query}" if parts.query else path, url)
        return (
            self.inside(url)
            and (
                not self._include
                or any(pattern.match(name) for pattern in self._include for name in names)
            )
            and not any(pattern.match(name) for pattern in self._exclude for name in names)
        )
