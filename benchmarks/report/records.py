"""What a part of the page has measured, and its file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

Better = Literal["less", "more"]
OURS = "llmops"
"""What the names of our systems begin with."""


@dataclass(frozen=True)
class Record:
    """One measure of one system: `rounds` in `unit`, in their order.

    `name` is that of the measure, the same for all systems that are compared. `better`: whether
    less of it is, or more.
    """

    name: str
    system: str
    unit: str
    rounds: Sequence[float]
    better: Better = "less"

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def ours(self) -> bool:
        return self.system.startswith(OURS)


@dataclass(frozen=True)
class Part:
    """A part of the page. `about`: Markdown that says what was measured and how each system was set
    up. `skipped`: systems that were not measured, each with the reason. `plot`: the measures that
    are drawn; none: no plot.
    """

    name: str
    title: str
    about: str
    command: str
    records: Sequence[Record]
    skipped: Mapping[str, str] = field(default_factory=dict)
    plot: Sequence[str] = ()
    quick: bool = False
    seconds: float = 0.0
    date: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def measures(self) -> dict[str, list[Record]]:
        """The records of each measure, in their order."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.name, []).append(record)
        return found


@dataclass(frozen=True)
class Comparison:
    """Ours, the first of them, against the best peer. `times`: 2 is half of their seconds, or twice
    their throughput; below 1 the peer is ahead. `overlap`: some rounds of the one were as good as
    some of the other.
    """

    name: str
    ours: Record
    peer: Record
    times: float
    overlap: bool

    @property
    def said(self) -> str:
        more = (self.ours.better == "more") == (self.times >= 1)
        factor = max(self.times, 1 / self.times)
        said = f"{factor:.1f}× {'more' if more else 'less'} than {self.peer.system}"
        return f"{said}, ranges overlap" if self.overlap else said


def compared(records: Sequence[Record]) -> Comparison | None:
    """None where there is nobody to compare with, or a median is nought."""
    ours = [each for each in records if each.ours]
    peers = [each for each in records if not each.ours]
    if not ours or not peers:
        return None
    mine, less = ours[0], ours[0].better == "less"
    best = (min if less else max)(peers, key=lambda each: each.median)
    if not mine.median or not best.median:
        return None
    times = best.median / mine.median if less else mine.median / best.median
    overlap = min(mine.rounds) <= max(best.rounds) and min(best.rounds) <= max(mine.rounds)
    return Comparison(mine.name, mine, best, times, overlap)


def write(part: Part, folder: Path) -> Path:
    """`raw/NAME.json` below the folder."""
    file = folder / "raw" / f"{part.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = asdict(part)
    for record in plain["records"]:
        record["rounds"] = [float(f"{value:.5g}") for value in record["rounds"]]
    file.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def read(file: Path) -> Part:
    plain = json.loads(file.read_text(encoding="utf-8"))
    return Part(**plain | {"records": [Record(**each) for each in plain["records"]]})
