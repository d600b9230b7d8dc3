"""The process of the alerter, which `llmops up` starts as the part `alerts`: `python -m
llmops.deployments.alerting.watching FOLDER HOME`. It looks until SIGTERM.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from llmops.configs.alerts import AlertsConfig
from llmops.configs.reading import read
from llmops.deployments.alerting import pulse
from llmops.deployments.alerting.alerter import HouseAlerter
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.setup import ProjectSetup
from llmops.tasks.alerts.looking import LookResult
from llmops.tasks.ledger import make_folder

logger = logging.getLogger("llmops.alerts")


def alerter_of(home: Path, folder: Path | None, config: Path | None = None) -> HouseAlerter:
    """Of a project, with what its config says as it is at each look; `config`: another one, or one
    that a person has named. Raises ConfigError where that is wrong.
    """
    house = HouseWatch(home, folder)
    setup = ProjectSetup(house, config)
    if config is not None:
        read(config, AlertsConfig)
    return HouseAlerter(house, setup)


def nobody(_looked: LookResult) -> None:
    """Is told nothing."""


def watch(
    alerter: HouseAlerter, stop: threading.Event, each: Callable[[LookResult], None] = nobody
) -> None:
    """Look until `stop`: the next look comes when the last one has ended and its time has come.
    `each`: is told what came of every look.
    """
    home = alerter.home
    make_folder(home)
    while not stop.is_set():
        began = time.monotonic()
        pulse.pulse(home, alerter.every_seconds)
        each(alerter.look())
        pulse.pulse(home, alerter.every_seconds)
        stop.wait(max(1.0, alerter.every_seconds - (time.monotonic() - began)))
    alerter.end()


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("llmops").setLevel(logging.INFO)
    folder, home = map(Path, arguments)
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    alerter = alerter_of(home, folder)
    logger.info("watches %s and %s", folder, home)
    watch(alerter, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
