"""Where a text still surfaces: the proof of a deletion."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import String, Text, cast, or_, select

from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.whole import every_table
from llmops.tasks.traces.spool import FOLDER
from llmops.tasks.tracking.leftovers import files_holding, holds
from llmops.tasks.tracking.place import place_of
from llmops.tasks.tracking.traces import trace_store


def probe(home: Path, texts: Sequence[str]) -> list[str]:
    """The places that hold one of the texts: rows of the ledger, its file, files of the spool,
    traces in MLflow, and the bytes of MLflow's own file. Raises Unavailable where MLflow does not
    answer: what cannot be looked at is not clean.
    """
    wanted = [text for text in texts if text]
    return [*_in_ledger(home, wanted), *_in_files(home, wanted), *_in_mlflow(home, wanted)]


def spellings(texts: Sequence[str]) -> list[bytes]:
    """As they stand in files: as they are, and within JSON once or twice."""
    found = set[str]()
    for text in texts:
        for plain in (True, False):
            once = json.dumps(text, ensure_ascii=plain)[1:-1]
            found |= {text, once, json.dumps(once, ensure_ascii=plain)[1:-1]}
    return sorted(each.encode("utf-8", "replace") for each in found)


def _in_ledger(home: Path, texts: Sequence[str]) -> Iterator[str]:
    with existing_ledger(home).read() as connection:
        for table in every_table():
            columns = [cast(column, Text) for column in table.c if _textual(column.type)]
            if not columns:
                continue
            like = [column.contains(text, autoescape=True) for column in columns for text in texts]
            if connection.execute(select(table).where(or_(*like)).limit(1)).first():
                yield f"ledger, table {table.name}"


def _textual(kind: object) -> bool:
    return isinstance(kind, String | Text) or type(kind).__name__ == "JSON"


def _in_files(home: Path, texts: Sequence[str]) -> Iterator[str]:
    wanted = spellings(texts)
    files = [home / f"ledger.db{end}" for end in ("", "-wal")]
    files += sorted((home / FOLDER).rglob("*")) if (home / FOLDER).is_dir() else []
    for path in files:
        if path.is_file() and holds(path, wanted):
            yield str(path)
    yield from map(str, files_holding(home, wanted))


def _in_mlflow(home: Path, texts: Sequence[str]) -> Iterator[str]:
    if place_of(home).uri.startswith("sqlite:"):
        return  # its file was looked through
    with trace_store(home) as store:
        for text in texts:
            yield from (f"MLflow, {each}" for each in store.holding(text))
