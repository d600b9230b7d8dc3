"""The results of a part as a Parquet file: one row per case, arm and repeat, in that order."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import Damaged
from tasks.evaluation.trial import Result

NESTED = ("parsed", "passages", "scores")
BATCH = 200


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Whole or not at all. Nested values are JSON texts."""
    rows = [{**row, **{name: json.dumps(row[name], ensure_ascii=False) for name in NESTED}}
            for row in (result.model_dump(mode="json") for result in results)]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    pq.write_table(pa.Table.from_pylist(rows), partial)
    partial.replace(path)


def read_results(path: Path) -> Iterator[Result]:
    """The results of a part, some hundred rows in memory at a time. Raises Damaged for a file that is none."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    yield Result.model_validate({**row, **{name: json.loads(row[name]) for name in NESTED}})
    except (pa.ArrowInvalid, OSError) as error:
        raise Damaged(f"the results in {path} cannot be read: {error}", hint="run the evaluation again: what was paid is remembered") from error
