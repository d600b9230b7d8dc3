"""The numbers of exchanges, by columns: a hundred thousand of them are some megabytes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from llmops.tasks.monitoring.traffic import FAILED, Exchange
from llmops.tasks.traces.trace import ANSWERED

DAY = timedelta(days=1)
NOBODY = -1
SCORE = "score/"


class TrafficTally:
    """`frame` has a row for every exchange that was added:

    - `window`: 0, or the number of a reference window; `day`: 24 hours before `until`, 0 for the
      last ones.
    - `unit`, `conversation`, `person`: numbers, NOBODY where it has none.
    - `answered`, `failed`, `refused`, `rated`, `up`, `searched`, `empty` (searched, nothing found),
      `sourced` (answered, with passages), `opened`: yes or no.
    - `latency` (ms, NaN: unknown), `tokens`, `cost` (US dollars), and `score/<metric>` (NaN: none).
    """

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._numbers: dict[str, int] = {}
        self._parts: list[pd.DataFrame] = []

    def add(self, window: int, exchanges: Sequence[Exchange]) -> None:
        """Those of a window."""
        rows = [self._row(window, each) for each in exchanges]
        if rows:
            part = pd.DataFrame(rows)
            scores = [name for name in part.columns if name.startswith(SCORE)]
            self._parts.append(part.astype(TYPES | dict.fromkeys(scores, np.float32)))

    def frame(self) -> pd.DataFrame:
        """All of them; without any, the columns alone."""
        if not self._parts:
            return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TYPES.items()})
        return pd.concat(self._parts, ignore_index=True)

    def _row(self, window: int, each: Exchange) -> dict[str, object]:
        answered, found = each.status in ANSWERED, bool(each.passages)
        searched = found or bool(each.knowledge_base)
        return {
            "window": window,
            "day": (self._until - each.at - timedelta(microseconds=1)) // DAY,
            "unit": self._number("unit", each.unit),
            "conversation": self._number("conversation", each.conversation),
            "person": self._number("person", each.person),
            "answered": answered,
            "failed": each.status == FAILED,
            "refused": each.status == "refused",
            "rated": each.rating is not None,
            "up": each.rating == "up",
            "searched": searched and answered,
            "empty": searched and answered and not found,
            "sourced": answered and found,
            "opened": each.opened > 0,
            "latency": np.nan if each.latency_ms is None else each.latency_ms,
            "tokens": each.tokens,
            "cost": each.cost_usd,
            **{f"{SCORE}{metric}": value for metric, value in each.scores.items()},
        }

    def _number(self, kind: str, name: str) -> int:
        return self._numbers.setdefault(f"{kind}\0{name}", len(self._numbers)) if name else NOBODY


FLAGS = (
    *("answered", "failed", "refused", "rated", "up"),
    *("searched", "empty", "sourced", "opened"),
)
TYPES: dict[str, type] = {
    "window": np.int16,
    **dict.fromkeys(("day", "unit", "conversation", "person"), np.int32),
    **dict.fromkeys(FLAGS, np.bool_),
    "latency": np.float32,
    "tokens": np.int64,
    "cost": np.float64,
}
