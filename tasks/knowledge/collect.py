"""From a part's todos to a shard of documents: read, parse, and never parse the same bytes
twice.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import select

from llmops.tasks.knowledge.build import Batch, Build, Part, Todo
from llmops.tasks.knowledge.caches import ParsedKey, find_parsed, save_parsed
from llmops.tasks.knowledge.quarantine import Failure, one_document, put
from llmops.tasks.ledger import live_at, now
from llmops.tasks.ledger.tables import documents
from llmops.tasks.plugins.parsers import Parsed, parser_fingerprints
from llmops.tasks.plugins.sources import Source, content_hash_of
from llmops.tasks.progress import stage
from llmops.tasks.schemas import DOCUMENTS, Shard, frame, packed, write_shard
from llmops.tasks.texts.language import detect

Row = dict[str, Any]
"""A row of `schemas.DOCUMENTS`, or some of its columns."""
TEXT_COLUMNS = ["title", "text", "markup", "media_type", "language", "metadata"]
LANGUAGE_SAMPLE = 4000
Key = TypeVar("Key")


class ParserLike(Protocol):
    """What collecting needs of a pool of parsers."""

    def parse(self, data: bytes, uri: str, media_type: str = "") -> Parsed: ...


def collect(build: Build, source: Source, parsing: ParserLike, part: Part) -> Batch:
    """Read and parse a part. What fails goes to quarantine; a document that must be carried falls
    back to its last good text.
    """
    collector = _Collector(build, source, parsing, part.todos(build.lake))
    rows, failures = collector.rows()
    put(build.handle, failures, build.fingerprints.all)
    shard = write_shard(frame(rows, DOCUMENTS), DOCUMENTS, build.lake, "documents")
    fresh = {
        n: ParsedKey(build.fingerprints.parser(row["media_type"]), row["content_hash"])
        for n, row in enumerate(rows)
        if row["content_hash"] in collector.fresh
    }
    save_parsed(build.ledger, fresh, shard)
    return Batch(
        part=part,
        documents=shard,
        parsed=len(collector.fresh),
        left_out={row["uri"]: pages for row in rows if (pages := _pages_left_out(row))},
    )


class _Collector:
    def __init__(
        self, build: Build, source: Source, parsing: ParserLike, todos: Sequence[Todo]
    ) -> None:
        self._build, self._source, self._parsing, self._todos = build, source, parsing, todos
        self.fresh: set[str] = set()
        self._texts = (
            {}
            if build.full
            else self._parsed_before([todo.content_hash for todo in todos if todo.content_hash])
        )

    def rows(self) -> tuple[list[Row], list[Failure]]:
        rows: list[Row] = []
        failures: list[Failure] = []
        fallback: list[Todo] = []
        with stage("read", len(self._todos)) as step:
            for todo in self._todos:
                self._read(todo, rows, failures, fallback)
                step()
        return rows + self._last_good(fallback), failures

    def _read(
        self, todo: Todo, rows: list[Row], failures: list[Failure], fallback: list[Todo]
    ) -> None:
        before = len(failures)
        with one_document(
            failures,
            source=todo.source,
            uri=todo.uri,
            stage="collect",
            revision=todo.item.revision if todo.item else "",
            content_hash=todo.content_hash or "",
        ):
            rows.append(self._row(todo))
        if len(failures) > before and todo.carried:
            fallback.append(todo)

    def _row(self, todo: Todo) -> Row:
        if todo.item is None:
            before = self._parsed_before([todo.content_hash or ""])
            return self._last_good([todo])[0] | before.get(todo.content_hash or "", {})
        content = todo.content_hash
        if content is None or content not in self._texts:
            raw = self._source.read(todo.item)
            content = content_hash_of(raw)
            if content not in self._texts and content != todo.content_hash and not self._build.full:
                self._texts.update(self._parsed_before([content]))
            if content not in self._texts:
                parsed = self._parsing.parse(raw.data, todo.uri, raw.media_type)
                self._texts[content] = _text(parsed, raw.title, raw.metadata)
                self.fresh.add(content)
        return {**_identity(todo), **self._texts[content], "content_hash": content}

    def _parsed_before(self, hashes: Sequence[str]) -> dict[str, Row]:
        """content_hash -> text, where the parser that read it is still the one that would."""
        readers = self._build.fingerprints
        cached = find_parsed(self._build.ledger, parser_fingerprints(readers.options), hashes)
        texts = read_rows(
            self._build,
            {key: (row.shard, row.shard_sha256, row.shard_row) for key, row in cached.items()},
        )
        return {
            key.content_hash: {name: row[name] for name in TEXT_COLUMNS}
            for key, row in texts.items()
            if key.parser == readers.parser(row["media_type"])
        }

    def _last_good(self, todos: Sequence[Todo]) -> list[Row]:
        good = last_good_rows(self._build, [todo.doc_id for todo in todos])
        return [good[todo.doc_id] for todo in todos]


def _identity(todo: Todo) -> Row:
    return {
        "doc_id": todo.doc_id,
        "source": todo.source,
        "uri": todo.uri,
        "fetched_at": now(),
        "revision": todo.item.revision if todo.item else "",
    }


def _pages_left_out(row: Row) -> int:
    if '"ocr_pages_left_out"' not in row["metadata"]:
        return 0
    return len(json.loads(row["metadata"]).get("ocr_pages_left_out", ()))


def _text(parsed: Parsed, title: str | None, metadata: Mapping[str, Any]) -> Row:
    merged = {**parsed.metadata, **metadata}
    return {
        "title": title or parsed.title,
        "text": parsed.text,
        "markup": parsed.markup,
        "media_type": parsed.media_type,
        "language": detect(parsed.text[:LANGUAGE_SAMPLE]),
        "metadata": packed(merged),
    }


def last_good_rows(build: Build, doc_ids: Sequence[str]) -> dict[str, Row]:
    """The documents as the live version has them, by doc_id, from the lake."""
    if not doc_ids or build.live is None:
        return {}
    with build.ledger.read() as connection:
        query = select(documents).where(
            documents.c.kb == build.kb,
            live_at(documents, build.live),
            documents.c.doc_id.in_(doc_ids),
        )
        live = {row.doc_id: row for row in connection.execute(query)}
    rows = read_rows(
        build, {key: (row.shard, row.shard_sha256, row.shard_row) for key, row in live.items()}
    )
    return {key: {**row, "revision": live[key].revision} for key, row in rows.items()}


def read_rows(build: Build, places: Mapping[Key, tuple[str, str, int]]) -> dict[Key, Row]:
    """Rows of the lake by key; each shard is read once. Raises Damaged when a shard is missing or
    altered.
    """
    by_shard: dict[tuple[str, str], list[tuple[Key, int]]] = {}
    for key, (path, sha256, row) in places.items():
        by_shard.setdefault((path, sha256), []).append((key, row))
    return {
        key: values
        for (path, sha256), wanted in by_shard.items()
        for key, values in _pick(Shard(path=path, rows=0, sha256=sha256), build, wanted)
    }


def _pick(shard: Shard, build: Build, wanted: Iterable[tuple[Key, int]]) -> list[tuple[Key, Row]]:
    table = shard.table(build.lake)
    pairs = list(wanted)
    return [
        (key, row)
        for (key, _), row in zip(pairs, table.take([n for _, n in pairs]).to_pylist(), strict=True)
    ]
