"""From sources to shards of rows: cut into parts, one task each."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from llmops.tasks.datasets.training.context import HomeContext
from llmops.tasks.datasets.training.quarantine import (
    RejectedRow,
    RejectedRows,
    write_rejected,
)
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.shards import RowShard, write_shards
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.plugins.collectors import Collector, Skipped


class CollectPart(BaseModel):
    """A part of a source, by the number of its collector in the config."""

    model_config = ConfigDict(frozen=True)
    collector: int
    title: str
    number: int
    of: int
    part: str


class Collected(BaseModel):
    """What a part gave. `cost_usd`: paid for it."""

    model_config = ConfigDict(frozen=True)
    title: str
    shards: tuple[RowShard, ...] = ()
    rejected: RejectedRows = RejectedRows()
    cost_usd: float = 0.0

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)


def collector_of(spec: FinetuneSpec, number: int) -> Collector:
    return spec.collect[number].build(Collector).at(spec.folder)


def context_of(spec: FinetuneSpec) -> HomeContext:
    return HomeContext(spec.home, spec.name, spec.prices, spec.budget_usd, spec.budget_calls)


def parts_of(spec: FinetuneSpec) -> list[CollectPart]:
    """All parts of all sources, in the order of the config. Raises UsageError for a source that
    never existed.
    """
    found: list[CollectPart] = []
    with context_of(spec) as context:
        for number, each in enumerate(spec.collect):
            collector = collector_of(spec, number)
            collector.check()
            parts = collector.parts(context)
            found += [
                CollectPart(collector=number, title=each.id, number=place, of=len(parts), part=part)
                for place, part in enumerate(parts, 1)
            ]
    return found


class PlannedRows(NamedTuple):
    """Rows by their collector, 0 for one that pays a model for them; `unknown`: those."""

    rows: dict[str, int]
    unknown: tuple[str, ...]


def counted(spec: FinetuneSpec, parts: Sequence[CollectPart]) -> PlannedRows:
    """What the sources would give. Nothing is written or paid."""
    rows = {each.id: 0 for each in spec.collect}
    paid = {each.id for each in spec.collect if not each.build(Collector).free}
    with context_of(spec) as context:
        for part in parts:
            if part.title not in paid:
                found = collector_of(spec, part.collector).rows(context, part.part)
                rows[part.title] += sum(1 for _ in found)
    return PlannedRows(rows, tuple(name for name in rows if name in paid))


def collect_part(spec: FinetuneSpec, part: CollectPart) -> Collected:
    """Write the rows of one part as shards, and what could not be read beside them."""
    collector = collector_of(spec, part.collector)
    name = f"collect-{part.collector:03}-{part.number:06}"
    skipped: list[Skipped] = []
    with context_of(spec) as context:
        rows = _rows(collector, context, part, skipped)
        shards = write_shards(spec.work, name, rows)
        cost = context.cost_usd
    rejected = (
        RejectedRow(id=f"{part.title}/{each.place}", stage="collect", reasons=(each.reason,))
        for each in skipped
    )
    return Collected(
        title=part.title,
        shards=shards,
        rejected=write_rejected(spec.work / f"{name}.rejected", rejected),
        cost_usd=cost,
    )


def _rows(
    collector: Collector, context: HomeContext, part: CollectPart, skipped: list[Skipped]
) -> Iterator[Row]:
    for row in collector.rows(context, part.part):
        if isinstance(row, Skipped):
            skipped.append(row)
            continue
        licence = {"licence": collector.licence} if collector.licence else {}
        lineage = {"collector": part.title, **licence, **row.lineage}
        yield row.model_copy(update={"lineage": lineage})
