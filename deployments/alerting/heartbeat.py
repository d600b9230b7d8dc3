"""A word to somebody outside after each look, such as healthchecks.io: who misses it tells people
that nobody watches here any more.
"""

import logging
import threading
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

SECONDS = 10.0
FAIL = "/fail"
logger = logging.getLogger(__name__)


class Heartbeat:
    """`url`: asked by GET after a look, with FAIL behind it where the look could not be made. The
    address is a secret: it is never said. A server that hangs delays nothing, and is not asked
    again meanwhile.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._asking: threading.Thread | None = None
        self.failures = 0

    def __call__(self, *, well: bool) -> None:
        if not self._url or (self._asking is not None and self._asking.is_alive()):
            return
        self._asking = threading.Thread(target=self._ask, args=(well,), daemon=True)
        self._asking.start()

    def wait(self, seconds: float = SECONDS) -> None:
        """Until the last word has arrived."""
        if self._asking is not None:
            self._asking.join(seconds)

    def _ask(self, well: bool) -> None:
        parts = urlsplit(self._url)
        path = parts.path if well else f"{parts.path.rstrip('/')}{FAIL}"
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        proxies = [urllib.request.ProxyHandler({})] if local else []
        try:
            address = parts._replace(path=path).geturl()
            with urllib.request.build_opener(*proxies).open(address, timeout=SECONDS):
                self.failures = 0
        except (OSError, HTTPException, ValueError) as error:
            self.failures += 1
            if self.failures == 1:
                kind = type(error).__name__
                logger.warning("the heartbeat does not arrive at %s: %s", parts.hostname, kind)
