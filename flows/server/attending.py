"""A run needs the home's Prefect server to its end, and whoever ends an `up` or says `llmops down`
does not know of it.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from llmops.flows import server
from llmops.flows.server.state import ask, locate, server_pid
from llmops.tasks.errors import LlmopsError

EVERY_SECONDS = 2.0
logger = logging.getLogger(__name__)


@contextlib.contextmanager
def attended(home: Path, every: float = EVERY_SECONDS) -> Iterator[None]:
    """While the block runs, start the home's server again where it has ended: at the same port, so
    that Prefect's client, which asks again for a minute, finds it.
    """
    done = threading.Event()

    def attend() -> None:
        folder = locate(home)
        while not done.wait(every):
            if ask(folder, use=True) is not None or server_pid(folder) is not None:
                continue
            try:
                server.ensure(home)
            except LlmopsError as error:  # the run says so itself when it gives up
                logger.warning("the Prefect server has ended and does not start again: %s", error)

    watcher = threading.Thread(target=attend, name="prefect-server-attended", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
