"""The process of one flow run, where a worker on this machine starts it: `python -m
llmops.deployments.flow_run`. It waits for the Prefect server, which may just be starting again, and
is then Prefect's own engine.

Prefect itself asks a server again and again, but only one that has answered this process before.
"""

import logging
import os
import runpy
import time
import urllib.error
import urllib.request

from llmops.flows.server import discreet
from llmops.tasks.errors import LlmopsError

WAIT_SECONDS = 120.0


class SaidAlready(logging.Filter):
    """Leaves out Prefect's traceback for a run that ended in a state which says why, such as
    PartsFailed, Blocked or Covered: the engine has logged that state.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        from prefect.exceptions import CancelledRun, FailedRun

        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, FailedRun | CancelledRun | LlmopsError)


def wait_for_server(url: str, seconds: float = WAIT_SECONDS) -> bool:
    """Whether anything answers at `url`, also with a refusal, within the time."""
    local = any(f"//{host}" in url for host in ("127.0.0.1", "localhost", "[::1]"))
    proxies = [urllib.request.ProxyHandler({})] if local else []
    opener, deadline = urllib.request.build_opener(*proxies), time.monotonic() + seconds
    while True:
        try:
            opener.open(f"{url.rstrip('/')}/health", timeout=5).close()
            return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)


if __name__ == "__main__":
    if url := os.environ.get("PREFECT_API_URL"):
        wait_for_server(discreet(url))
    logging.getLogger("prefect.engine").addFilter(SaidAlready())
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
