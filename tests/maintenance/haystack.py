"""A document that is to be erased, whatever may quote it, and everything that a home holds,
unpacked: what a thorough search for a sentence would look through."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import Connection, insert

from llmops.tasks.ledger import close_ledgers, now
from llmops.tasks.ledger.tables import calls, quarantine, runs, shown, sketches
from llmops.tasks.schemas import doc_id
from tests.workshop import Workshop

SENTENCE = "The violet zeppelin of Quixotic harbour hums beside Wenceslas at midnight."
SECRET = (
    f"{SENTENCE} Nobody in the guild may ever learn of its cargo, or of the clockmaker who "
    f"steers it through the fog."
)
URI = "private/memo.txt"
OWNER = doc_id("memory", URI)


def littered(shop: Workshop) -> None:
    """What other parts of the house write: a quotation in each place that could hold one."""
    with shop.ledger.write() as connection:
        connection.execute(
            insert(runs).values(
                id="r1",
                kb=shop.kb,
                finished_at=now(),
                outcome={
                    "worst": [{"question": "?", "got": [URI], "quote": SENTENCE}],
                    "status": "published",
                },
            )
        )
        _calls(connection, shop)
        connection.execute(
            insert(sketches).values(
                kb=shop.kb,
                cleaner="near",
                doc_id=OWNER,
                source="memory",
                uri=URI,
                content_hash="c",
                revision="",
                sketch=b"\x01",
                verdict="",
            )
        )
        _quarantined(connection, shop)
    _files(shop)


def _calls(connection: Connection, shop: Workshop) -> None:
    connection.execute(
        insert(calls).values(key="k1", owner=OWNER, reply="about it", created_at=now())
    )
    connection.execute(
        insert(calls).values(key="k2", owner="", reply=f"They say: {SENTENCE}", created_at=now())
    )
    connection.execute(
        insert(calls).values(
            key="k3",
            owner="",
            reply="a harmless reply to a prompt that showed it",
            created_at=now(),
        )
    )
    connection.execute(
        insert(shown),
        [
            {"key": "k3", "kb": shop.kb, "doc_id": OWNER},
            {"key": "k3", "kb": shop.kb, "doc_id": "other"},
        ],
    )


def _quarantined(connection: Connection, shop: Workshop) -> None:
    for key, uri, owner in (("q1", URI, OWNER), ("q2", "d1.txt", doc_id("memory", "d1.txt"))):
        connection.execute(
            insert(quarantine).values(
                id=f"{key}-{shop.kb}"[:12],
                kb=shop.kb,
                source="memory",
                uri=uri,
                doc_id=owner,
                stage="clean",
                error="E",
                retryable=True,
                reason=f"cannot read {SENTENCE!r}",
                attempts=1,
                revision="",
                stages="",
                first_seen=now(),
                last_seen=now(),
            )
        )


def _files(shop: Workshop) -> None:
    files = {
        "docs/page.html": f"<html><b>{SENTENCE.replace(' ', '&nbsp;')}</b> and <i>more</i></html>",
        f"plans/{shop.kb}.json": json.dumps(
            {"plan": [{"uri": URI, "why": SENTENCE}, {"uri": "d1.txt", "why": "new"}]}
        ),
        "mlflow/artifacts/shop/1/worst-questions.json": json.dumps(
            {"data": [[SENTENCE, URI], ["harmless", "d1.txt"]]}, indent=2
        ),
        "prefect/server.log": f"12:00 | INFO | {SENTENCE}\n12:01 | INFO | all is well\n",
        f"sources/{shop.kb}/memory/state.json": json.dumps({URI: SENTENCE}),
        f"lake/runs/{shop.kb}-2/verdict-documents-1.json": SENTENCE,
        "lake/documents/ab/.partial.parquet.1.2": SENTENCE,
    }
    for name, content in files.items():
        (shop.home / name).parent.mkdir(parents=True, exist_ok=True)
        (shop.home / name).write_text(content)
    with contextlib.closing(sqlite3.connect(shop.home / "prefect" / "prefect.db")) as other, other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE artifact (id INTEGER PRIMARY KEY, data TEXT, other TEXT)")
        rows = [
            (json.dumps([{"uri": URI, "quote": SENTENCE}, {"uri": "d1.txt"}]), "kept"),
            (f"a **{SENTENCE}**", "kept"),
        ]
        other.executemany("INSERT INTO artifact (data, other) VALUES (?, ?)", rows)


def evaluated(shop: Workshop) -> Path:
    """The results of an evaluation whose passages and answers quote the document, as an artifact of
    MLflow.
    """
    from llmops.tasks.evaluation.results import Result, write_results
    from llmops.tasks.plugins.scorers import Passage

    file = shop.home / "mlflow/artifacts/shop/1/results.parquet"
    write_results(
        file,
        [
            Result(
                case_id="c1",
                arm="a",
                answer=f"They say: {SENTENCE}",
                passages=(Passage(text=SENTENCE, uri=URI),),
            ),
            Result(
                case_id="c2",
                arm="a",
                answer="harmless",
                passages=(Passage(text="A boat.", uri="d1.txt"),),
            ),
        ],
    )
    return file


def places(home: Path, needle: str) -> list[str]:
    """Where a text is, whatever its case: in the raw bytes of files, Parquet rows, Lance rows of
    any version, SQLite dumps.
    """
    # reading a SQLite file and closing it takes away the locks that this process has on it
    close_ledgers()
    wanted = needle.casefold()
    return sorted({where for where, text in _texts(home) if wanted in text.casefold()})


def _texts(home: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(home.rglob("*")):
        if not file.is_file():
            continue
        name, content = str(file.relative_to(home)), file.read_bytes()
        yield name, content.decode(errors="ignore")
        yield name, content.decode("utf-16-le", errors="ignore")
        if file.suffix == ".parquet":
            yield f"{name} (rows)", str(pq.read_table(file).to_pylist())
        if content.startswith(b"SQLite format 3"):
            with contextlib.closing(sqlite3.connect(file)) as connection:
                yield f"{name} (dump)", "\n".join(connection.iterdump())
    yield from _lance(home / "lancedb")


def _lance(folder: Path) -> Iterator[tuple[str, str]]:
    import lancedb

    if not folder.exists():
        return
    database = lancedb.connect(str(folder))
    for name in database.list_tables().tables:
        table = database.open_table(name)
        for version in [entry["version"] for entry in table.list_versions()]:
            table.checkout(version)
            yield f"{name}@{version}", str(table.to_arrow().drop_columns("vector").to_pylist())
