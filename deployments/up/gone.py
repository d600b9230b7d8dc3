"""Flow runs whose process has ended without a word, for a full disk or by the kernel's hand:
Prefect would show them RUNNING for ever, and nobody would look.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from llmops.deployments.prefect_api import PrefectApi
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.slots import here_and_alive

EVERY_SECONDS = 60.0
WHY = "its process has ended without saying so"


class GoneRuns:
    """Looks every EVERY_SECONDS in a thread of its own. A run is marked when it was gone twice in a
    row: what has just ended may still be telling the server.
    """

    def __init__(
        self, api: PrefectApi, tags: Sequence[str], home: Path, tell: Callable[[str], None]
    ) -> None:
        self._api, self._tags, self._home, self._tell = api, tags, home, tell
        self._done, self._suspects, self._said = threading.Event(), set[str](), ""

    def start(self) -> None:
        threading.Thread(target=self._run, name="gone-runs", daemon=True).start()

    def stop(self) -> None:
        self._done.set()

    def look(self) -> None:
        """One look. A server or a ledger that does not answer is the affair of others."""
        try:
            ids = [deployment["id"] for deployment in self._api.deployments(self._tags)]
            ledger = existing_ledger(self._home)
            gone = {
                run["id"]: run["name"]
                for run in self._api.active(ids)
                if (state := run["state"]) and state["type"] == "RUNNING"
                if here_and_alive(ledger, run["id"]) is False
            }
            for run, name in gone.items():
                if run in self._suspects:
                    self._api.set_state(run, "CRASHED", "Crashed", WHY, force=True)
                    self._tell(f"{name}: {WHY}; it is marked as crashed")
            self._suspects, self._said = set(gone), ""
        except LlmopsError as error:
            said, self._said = self._said, error.message
            if said != error.message:  # once, not every minute
                self._tell(f"runs could not be looked after: {error.message}")

    def _run(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            self.look()
