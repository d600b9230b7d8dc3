"""What a monitor is asked for; and the traffic of its windows, read once: numbers of all exchanges,
texts of a sample, in files that the steps after it read.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.knowledge.handle import known
from llmops.tasks.ledger import existing_ledger, now
from llmops.tasks.monitoring.figures import Kpi
from llmops.tasks.monitoring.file_traffic import FileTraffic
from llmops.tasks.monitoring.kpis import traffic_kpis
from llmops.tasks.monitoring.recorded import RecordedTraffic
from llmops.tasks.monitoring.tally import TrafficTally
from llmops.tasks.monitoring.text_sample import UnitSample
from llmops.tasks.monitoring.traffic import Exchange, Traffic
from llmops.tasks.plugins import Spec
from llmops.tasks.traces.applications import unasked
from llmops.tasks.traces.monitored import working_folder

MOST_NOW, MOST_BEFORE = 5_000, 2_000
"""Exchanges whose texts are read: of the window, and of each window before it."""
FILE = "window-{}.new"
"""JSON lines; by the ending of their names backups leave them out."""
LEFT = timedelta(days=1)
"""After which a folder of a run is that of one that was killed."""


class MonitorSpec(BaseModel):
    """What is looked at. `knowledge_bases` None: those that the traffic names; `reference`: windows
    of so many `days` before the window; `traffic`: a file of exchanges, None: the application's
    traces; `until`: where the window ends, None: now; `looks_per_year`: how often that is done.
    """

    model_config = ConfigDict(frozen=True)
    app: str
    knowledge_bases: tuple[str, ...] | None
    days: float
    reference: int
    embed: Spec
    false_alarms_per_year: float
    looks_per_year: float
    traffic: Path | None
    until: datetime | None


class CollectedTraffic(BaseModel):
    """`files`: the window's exchanges, then those of each reference window, the latest first;
    `exchanges`: how many the window had; `reference_windows`: those with any; `whole`: whether
    nothing is missing that another look would find; `remarks`: what is to be said of it.
    """

    model_config = ConfigDict(frozen=True)
    since: datetime
    until: datetime
    folder: Path
    files: tuple[Path, ...]
    exchanges: int
    reference_windows: int
    kpis: tuple[Kpi, ...]
    knowledge_bases: tuple[str, ...]
    whole: bool
    remarks: tuple[str, ...]


def collect(home: Path, spec: MonitorSpec, run: str) -> CollectedTraffic:
    """Read the window and those before it. The files lie in a folder of the run, until `dropped`.
    Raises Unavailable where the ledger cannot be read, ConfigError for a file with mistakes.
    """
    until, length = spec.until or now(), timedelta(days=spec.days)
    folder = working_folder(home, spec.app) / run
    _tidy(folder)
    folder.mkdir(parents=True)
    traffic, reading = traffic_of(home, spec), _Reading(until)
    told: list[str] = []
    for window in range(spec.reference + 1):
        end, most = until - window * length, MOST_BEFORE if window else MOST_NOW
        sample = reading.window(window, traffic.exchanges(end - length, end, most), most)
        _write(folder / FILE.format(window), sample)
        told = told if window else traffic.remarks()
    counts, whole = reading.counts, traffic.whole
    return CollectedTraffic(
        since=until - length,
        until=until,
        folder=folder,
        files=tuple(folder / FILE.format(window) for window in range(spec.reference + 1)),
        exchanges=counts[0],
        reference_windows=sum(count > 0 for count in counts[1:]),
        kpis=traffic_kpis(reading.tally.frame(), until, spec.days),
        knowledge_bases=_bases(home, spec, reading.bases),
        whole=whole,
        remarks=(*_nobody(home, spec, sum(counts)), *(told if whole else traffic.remarks())),
    )


def _tidy(folder: Path) -> None:
    """Remove what this run, or one that was killed, has left."""
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other.is_dir() and now().timestamp() - other.stat().st_mtime > LEFT.total_seconds():
            shutil.rmtree(other, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _bases(home: Path, spec: MonitorSpec, seen: set[str]) -> tuple[str, ...]:
    """Those that the config names, else those that the traffic does: in a file, of applications
    that are not ours, others may be called whatever they like.
    """
    if spec.knowledge_bases is not None:
        return spec.knowledge_bases
    here = seen & set(known(existing_ledger(home))) if spec.traffic else seen
    return tuple(sorted(here))


class _Reading:
    """What was read of the windows so far."""

    def __init__(self, until: datetime) -> None:
        self.tally, self.counts, self.bases = TrafficTally(until), list[int](), set[str]()

    def window(self, number: int, blocks: Iterator[list[Exchange]], most: int) -> list[Exchange]:
        """Count the next window; returns those of a sample that say something. Of a window before
        it nobody asks for the passages.
        """
        sample = UnitSample(most)
        self.counts.append(0)
        for block in blocks:
            self.tally.add(number, block)
            self.counts[number] += len(block)
            for each in block:
                self.bases |= {each.knowledge_base} - {""}
                if each.question or each.passages:
                    lean = each.model_copy(update={"passages": ()})
                    sample.add(lean if number else each)
        return sample.exchanges()


def traffic_of(home: Path, spec: MonitorSpec) -> Traffic:
    """Where the exchanges of a spec are read from."""
    return FileTraffic(spec.traffic) if spec.traffic else RecordedTraffic(home, spec.app)


def window_of(file: Path) -> list[Exchange]:
    """The exchanges that `collect` has written into a file."""
    with file.open(encoding="utf-8") as lines:
        return [Exchange.model_validate_json(line) for line in lines]


def dropped(collected: CollectedTraffic) -> None:
    """Remove the files: they hold what people said."""
    shutil.rmtree(collected.folder, ignore_errors=True)


def _write(file: Path, exchanges: Sequence[Exchange]) -> None:
    with file.open("w", encoding="utf-8", errors="replace") as lines:
        lines.writelines(f"{each.model_dump_json()}\n" for each in exchanges)


def _nobody(home: Path, spec: MonitorSpec, count: int) -> Iterator[str]:
    if count:
        return
    if spec.traffic:
        yield f"{spec.traffic.name} has no exchange in these windows"
    elif told := unasked(home, spec.app):
        yield told
