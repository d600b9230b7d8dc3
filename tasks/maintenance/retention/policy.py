"""For how long what is kept."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from llmops.tasks.maintenance.retention.references import Kind, Reference

Days = float | None
"""None: for ever."""


class RetentionPolicy(BaseModel):
    """Days, by kind; None: for ever. `named`: what configs name by its number or its path, which
    stays whatever its age. `calls_days` is of replies that were paid for.
    """

    model_config = ConfigDict(frozen=True)
    outcomes_days: Days = None
    runs_days: Days = None
    decisions_days: Days = None
    evaluations_days: Days = None
    datasets_days: Days = None
    trainings_days: Days = None
    answers_days: Days = None
    calls_days: Days = None
    alerts_days: Days = None
    logs_days: Days = None
    named: frozenset[Reference] = frozenset()

    def limits(self, now: datetime) -> Mapping[Kind, datetime | None]:
        """What is older may go, by kind."""
        days: Mapping[Kind, Days] = {
            "outcome": self.outcomes_days,
            "run": self.runs_days,
            "decision": self.decisions_days,
            "evaluation": self.evaluations_days,
            "dataset": self.datasets_days,
            "training": self.trainings_days,
            "model": self.trainings_days,
            "ranking": self.trainings_days,
        }
        return {kind: before(now, each) for kind, each in days.items()}


def before(now: datetime, days: Days) -> datetime | None:
    """So many days ago."""
    return None if days is None else now - timedelta(days=days)
