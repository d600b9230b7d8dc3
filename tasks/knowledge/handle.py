"""The handle of a knowledge base: where it lives and what it is called. A reference, safe to pass
between tasks and processes.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.knowledge import versions
from llmops.tasks.knowledge.versions import Version
from llmops.tasks.ledger import Ledger, existing_ledger
from llmops.tasks.ledger.leases import Lease, hold


class Handle(BaseModel):
    """A knowledge base by home and name, whether there is one or not: asking creates nothing."""

    model_config = ConfigDict(frozen=True)
    home: Path
    name: str

    @property
    def ledger(self) -> Ledger:
        return existing_ledger(self.home)

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    def live(self) -> Version | None:
        """The version that readers get; None before the first publish."""
        return versions.live_version(self.ledger, self.name)

    def published(self) -> Version:
        """The live version. Raises UsageError where there is none, naming the known ones."""
        return versions.published(self.ledger, self.name)

    def version(self, number: int) -> Version:
        """One version by number. Raises UsageError when there is none."""
        return versions.version(self.ledger, self.name, number)

    def hold(
        self, run_id: str | None = None, wait_seconds: float = 0
    ) -> AbstractContextManager[Lease]:
        """The lease, held with a heartbeat. Raises Blocked when another build holds it."""
        return hold(self.home, self.name, run_id, wait_seconds)
