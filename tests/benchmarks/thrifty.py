"""This project in the fault-injection benchmark, for a processor that other tests want too: what a
run imports is loaded before, and the reader rests between two searches.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.faults.adapters.ours import LlmopsPipelines
from llmops.flows.server import COMMON

REST_SECONDS = 0.05


class Thrifty(LlmopsPipelines):
    """What lasts shorter than a rest may escape its reader; what a killed run leaves cannot."""

    loads = (
        *LlmopsPipelines.loads,
        "llmops.flows.commands.build",
        "llmops.flows.index",
        "mlflow.store.tracking.sqlalchemy_store",
        "mlflow.tracking",
    )

    def search(self) -> Iterable[tuple[str, str]]:
        found = super().search()
        time.sleep(REST_SECONDS)
        return found

    def start(self, folder: Path) -> Mapping[str, str]:
        """Prefect reads its settings as it is loaded: these are what the command would set."""
        quiet = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR"}
        return {**super().start(folder), **COMMON, **quiet}


ADAPTER = Thrifty()
