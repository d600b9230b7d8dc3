"""Which texts of a window a monitor looks at: by whole units, and bounded."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.plugins.embedders import Embed
from llmops.tasks.schemas import Vectors

CURRENT_UNITS = 1_000
"""Units of the window that are looked at; of more, those whose hashes come first."""
REFERENCE_UNITS = 4_000
"""Units of all reference windows together, evenly."""
ROWS = 12_000
"""Texts of all windows together; at least 3 of each unit."""
BATCH = 100
"""Texts that are embedded at a time."""


class UnitTexts(NamedTuple):
    """The different texts of a unit that are looked at, and the exchanges of each."""

    unit: str
    texts: tuple[str, ...]
    exchanges: tuple[tuple[Exchange, ...], ...]


def unit_of(exchange: Exchange) -> str:
    """Whose it is: a person's, however many conversations they have, else a conversation's."""
    return exchange.person or exchange.unit


def sampled(
    windows: Sequence[Sequence[Exchange]], text: Callable[[Exchange], str]
) -> list[list[UnitTexts]]:
    """Of each window, the newest first, the units with a text. Which units and texts are taken
    depends on their ids alone, and as many texts of a unit in every window: so windows that differ
    by chance alone still do.
    """
    chosen: list[list[tuple[str, dict[str, list[Exchange]]]]] = []
    each = max(50, REFERENCE_UNITS // max(1, len(windows) - 1))
    for age, window in enumerate(windows):
        units: dict[str, dict[str, list[Exchange]]] = {}
        for exchange in window:
            if said := text(exchange):
                units.setdefault(unit_of(exchange), {}).setdefault(said, []).append(exchange)
        ranked = sorted(units.items(), key=lambda item: _rank(item[0]))
        chosen.append(ranked[: each if age else CURRENT_UNITS])
    most = max(3, ROWS // max(1, sum(map(len, chosen))))
    return [[_first(unit, texts, most) for unit, texts in window] for window in chosen]


def _first(unit: str, texts: dict[str, list[Exchange]], most: int) -> UnitTexts:
    ranked = sorted(texts.items(), key=lambda item: min(_rank(each.id) for each in item[1]))[:most]
    return UnitTexts(
        unit, tuple(text for text, _ in ranked), tuple(tuple(asked) for _, asked in ranked)
    )


def _rank(key: str) -> bytes:
    return sha256(key.encode()).digest()


def embedded(embed: Embed, windows: Sequence[Sequence[UnitTexts]]) -> list[list[Vectors]]:
    """The vectors of each unit of each window; each text is embedded once. Raises Unavailable where
    the embedder does not answer.
    """
    texts = list(
        dict.fromkeys(text for window in windows for unit in window for text in unit.texts)
    )
    known: dict[str, int] = {text: row for row, text in enumerate(texts)}
    parts = [embed(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return [
        [_rows(parts, [known[text] for text in unit.texts]) for unit in window]
        for window in windows
    ]


def _rows(parts: Sequence[Vectors], rows: Sequence[int]) -> Vectors:
    return np.stack([parts[row // BATCH][row % BATCH] for row in rows])
