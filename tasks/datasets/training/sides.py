"""The three sides of a data set, and the proof that nothing leaks from one into another."""

from collections.abc import Iterator

from llmops.tasks.datasets.training.exporting import SPLITS, SplitRows
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.shards import ROWS, RowFiles, RowShard, write_shard
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.datasets.training.splitting import Shares, Side, leaks, split
from llmops.tasks.errors import Blocked

SHOWN = 5


def split_rows(spec: FinetuneSpec, rows: RowFiles) -> SplitRows:
    """Write the rows of each side into shards of its own."""
    rules, near = spec.split, spec.dedup.near if spec.dedup else None
    shares = Shares(validation=rules.validation, test=rules.test, seed=rules.seed, near=near)
    blocks: dict[str, list[Row]] = {name: [] for name in SPLITS}
    shards: dict[str, list[RowShard]] = {name: [] for name in SPLITS}

    def put(side: str) -> None:
        path = spec.work / f"{side}-{len(shards[side]):05}.jsonl"
        shards[side].append(write_shard(path, blocks[side]))
        blocks[side].clear()

    for side, row in zip(split(rows.read(), shares), rows.read(), strict=True):
        blocks[side].append(row)
        if len(blocks[side]) == ROWS:
            put(side)
    for name in SPLITS:
        if blocks[name]:
            put(name)
    return SplitRows(**{side: RowFiles(shards=tuple(shards[side])) for side in SPLITS})


def prove(spec: FinetuneSpec, rows: SplitRows) -> None:
    """Raises Blocked where rows that belong together are on two sides."""
    found = leaks(_sided(rows), spec.dedup.near if spec.dedup else None)
    if found:
        raise Blocked(
            f"{len(found)} rows leak from one side of the split into another: "
            + "; ".join(map(str, found[:SHOWN])),
            hint="this should not happen: the same rows give the same split, so report it",
        )


def _sided(rows: SplitRows) -> Iterator[tuple[Side, Row]]:
    sides: tuple[Side, ...] = ("train", "validation", "test")
    for side in sides:
        for row in getattr(rows, side).read():
            yield side, row
