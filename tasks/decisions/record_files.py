"""The files that go with a decision: the record, the report, the cases as they were, every
result.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmops.tasks.decisions.report import report_html
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import read_results
from llmops.tasks.evaluation.run import Part, Result

RECORD, REPORT, CASES, TABLE, RESULTS = (
    "decision.json",
    "report.html",
    "cases.jsonl",
    "results.json",
    "results.parquet",
)
CELL = 1000
PLAIN = (
    "case_id",
    "arm",
    "repeat",
    "status",
    "error",
    "answer",
    "latency_ms",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "cached",
)


def write_files(
    folder: Path, record: Mapping[str, Any], parts: Sequence[Part], cases: CaseSet
) -> dict[str, int]:
    """Write them all; returns the name and the size in bytes of each. Results are streamed;
    `results.json` is MLflow's form of a table.

    `results.parquet` holds everything of every result, `results.json` long texts cut and the values
    of the scores alone.
    """
    (folder / RECORD).write_text(_json(record), encoding="utf-8")
    (folder / REPORT).write_text(report_html(record, _results(parts), cases), encoding="utf-8")
    (folder / CASES).write_text(
        "".join(f"{_json(case.model_dump(mode='json'))}\n" for case in cases.cases),
        encoding="utf-8",
    )
    rows = _table(folder / TABLE, record, parts)
    whole = _together(folder / RESULTS, parts)
    if rows != whole:
        raise AssertionError(
            f"{whole} results, but {rows} rows in the table"
        )  # a bug: the same files were read twice
    return {
        name: (folder / name).stat().st_size
        for name in (RECORD, REPORT, CASES, TABLE, RESULTS)
        if (folder / name).exists()
    }


def _results(parts: Sequence[Part]) -> Iterator[Result]:
    for part in sorted(parts, key=lambda one: one.number):
        yield from read_results(part.file)


def _table(path: Path, record: Mapping[str, Any], parts: Sequence[Part]) -> int:
    metrics = [name for name in record["metrics"] if name not in ("latency", "cost")]
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"columns": {_json([*PLAIN, *metrics])}, "data": [')
        for result in _results(parts):
            values = {name: score.value for name, score in result.scores.items()}
            values |= {
                f"{name}.{part}": value
                for name, score in result.scores.items()
                for part, value in score.parts.items()
            }
            cells = [_cell(getattr(result, name)) for name in PLAIN] + [
                values.get(name) for name in metrics
            ]
            file.write(f"{',' if count else ''}\n{_json(cells)}")
            count += 1
        file.write("\n]}\n")
    return count


def _together(path: Path, parts: Sequence[Part]) -> int:
    """All parts in one file, a row group each; none where there are no parts. The files of parts
    share one schema, but for columns that hold nothing in one of them."""
    count, writer = 0, None
    files = [part.file for part in sorted(parts, key=lambda one: one.number)]
    schema = (
        pa.unify_schemas([pq.read_schema(file) for file in files], promote_options="permissive")
        if files
        else None
    )
    try:
        for file in files:
            writer = writer or pq.ParquetWriter(path, schema)
            table = pq.read_table(file).cast(schema)
            writer.write_table(table)
            count += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return count


def _cell(value: Any) -> Any:
    return f"{value[:CELL]}…" if isinstance(value, str) and len(value) > CELL else value


def _json(value: Any) -> str:
    """On one line; half of a surrogate pair stays an escape, which UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return (
        text
        if not any("\ud800" <= one <= "\udfff" for one in text)
        else json.dumps(value, allow_nan=False)
    )
