"""Libraries that log the addresses they ask say nothing while an address is a secret."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

TALKATIVE = (
    *("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"),
    *("urllib3.connectionpool", "apprise"),
)
SILENT = ContextVar("SILENT", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """What they log meanwhile, in this thread, goes nowhere."""
    _listen()
    token = SILENT.set(True)
    try:
        yield
    finally:
        SILENT.reset(token)


@cache
def _listen() -> None:
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(lambda _record: not SILENT.get())
