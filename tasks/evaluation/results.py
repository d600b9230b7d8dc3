"""The results of a part of a run, and their Parquet file: one row per case, arm and repeat, in that
order.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.calls.budget import Spent
from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.scorers import Passage, Score

NESTED = ("parsed", "passages", "scores")
BATCH = 200
NUMBERS = {
    "repeat": pa.int64(),
    "latency_ms": pa.float64(),
    "asked_at": pa.float64(),
    "tokens_in": pa.int64(),
    "tokens_out": pa.int64(),
    "cost_usd": pa.float64(),
    "cached": pa.bool_(),
    "attempts": pa.int64(),
}


class Result(BaseModel):
    """One arm on one case, once. `status` errored: there is no answer, and `error` says why.
    `finish` length: the answer was cut. `asked_at`: when it was asked, in seconds since the epoch,
    also where it was remembered since then; 0: not known.

    `scores`: by metric, with the metrics of retrieval as `retrieval.recall@5`; pairwise metrics
    stand with the candidate alone.
    """

    model_config = ConfigDict(frozen=True)
    case_id: str
    arm: str
    repeat: int = 0
    status: Literal["answered", "errored"] = "answered"
    error: str = ""
    answer: str = ""
    parsed: Any = None
    passages: tuple[Passage, ...] = ()
    latency_ms: float = 0.0
    asked_at: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    cached: bool = False
    attempts: int = 1
    finish: str = "stop"
    scores: dict[str, Score] = Field(default_factory=dict)


class RunPart(BaseModel):
    """A finished part of a run: `file` holds its results, `cases` how many cases
    it covers.

    `stopped`: why no further part may be begun (the budget is used up); what was paid is kept.
    """

    model_config = ConfigDict(frozen=True)
    number: int
    file: Path
    cases: int
    spent: Spent
    stopped: str | None = None


SCHEMA = pa.schema([(name, NUMBERS.get(name, pa.string())) for name in Result.model_fields])


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Whole or not at all."""
    with writing(path) as write:
        write(results)


@contextmanager
def writing(path: Path) -> Iterator[Callable[[Sequence[Result]], None]]:
    """Results some at a time: the file is there when the context ends without an error. Nested
    values are JSON texts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    with pq.ParquetWriter(partial, SCHEMA) as writer:

        def write(results: Sequence[Result]) -> None:
            rows = [result.model_dump(mode="json") for result in results]
            for row in rows:
                row |= {name: json.dumps(row[name], ensure_ascii=False) for name in NESTED}
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

        yield write
    partial.replace(path)


def read_results(path: Path) -> Iterator[Result]:
    """The results of a part, some hundred rows in memory at a time. Raises Damaged for a file that
    is none.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    yield Result.model_validate(
                        {**row, **{name: json.loads(row[name]) for name in NESTED}}
                    )
    except (pa.ArrowInvalid, OSError) as error:
        raise Damaged(
            f"the results in {path} cannot be read: {error}",
            hint="run the evaluation again: what was paid is remembered",
        ) from error
