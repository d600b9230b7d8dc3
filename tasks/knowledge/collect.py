"""From a part's todos to a shard of documents: read, parse, and never parse the same bytes
twice.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import select

from llmops.tasks import processes
from llmops.tasks.knowledge.build import Batch, Build, Part, Todo
from llmops.tasks.knowledge.caches import ParsedKey, find_parsed, save_parsed
from llmops.tasks.knowledge.plain import LANGUAGE_SAMPLE, Plain, read_ahead
from llmops.tasks.knowledge.quarantine import Failure, one_document, put
from llmops.tasks.ledger import live_at, now
from llmops.tasks.ledger.tables import documents
from llmops.tasks.plugins.parsers import Parsed, parser_fingerprints
from llmops.tasks.plugins.sources import Item, Source, content_hash_of
from llmops.tasks.progress import stage
from llmops.tasks.schemas import DOCUMENTS, Shard, frame, packed, write_shard
from llmops.tasks.texts.language import detect_all

Row = dict[str, Any]
"""A row of `schemas.DOCUMENTS`, or some of its columns."""
TEXT_COLUMNS = ["title", "text", "markup", "media_type", "language", "metadata"]
UNSAID = "?"
"""In the place of a language that nobody has told yet."""
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
    """`_texts`: what is known of each text, by content hash; `fresh`: those parsed just now;
    `_asked`: those that the ledger was asked for.
    """

    def __init__(
        self, build: Build, source: Source, parsing: ParserLike, todos: Sequence[Todo]
    ) -> None:
        self._build, self._source, self._parsing, self._todos = build, source, parsing, todos
        self.fresh: set[str] = set()
        self._texts: dict[str, Row] = {}
        self._asked: set[str] = set()
        self._ahead: dict[str, Plain] = {}

    def rows(self) -> tuple[list[Row], list[Failure]]:
        rows: list[Row] = []
        failures: list[Failure] = []
        fallback: list[Todo] = []
        self._look_up(todo.content_hash for todo in self._todos if todo.content_hash)
        self._read_ahead()
        with stage("read", len(self._todos)) as step:
            for todo in self._todos:
                self._read(todo, rows, failures, fallback)
                step()
        self._tell_languages(rows)
        return rows + self._carried(fallback), failures

    def _look_up(self, hashes: Iterable[str]) -> None:
        """Ask the ledger for the texts of contents, once for each."""
        if new := sorted(set(hashes) - self._asked):
            self._asked.update(new)
            self._texts.update({} if self._build.full else self._parsed_before(new))

    def _read_ahead(self) -> None:
        wanted = [
            todo for todo in self._todos if todo.item and todo.content_hash not in self._texts
        ]
        items = [todo.item for todo in wanted if todo.item]
        found = read_ahead(self._source, items, self._build.specs.parse.max_chars)
        self._ahead = {
            todo.doc_id: plain for todo, plain in zip(wanted, found, strict=True) if plain
        }
        self._look_up(plain.content_hash for plain in self._ahead.values())

    def _tell_languages(self, rows: list[Row]) -> None:
        """Of what was parsed just now, all at once."""
        unsaid = {
            row["content_hash"]: row["text"][:LANGUAGE_SAMPLE]
            for row in rows
            if row["language"] == UNSAID
        }
        told = processes.run(detect_all, list(unsaid.values()))
        languages = dict(zip(unsaid, told, strict=True))
        for row in rows:
            row["language"] = languages.get(row["content_hash"], row["language"])

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
            content = self._content(todo.item, self._ahead.get(todo.doc_id))
        return {**_identity(todo), **self._texts[content], "content_hash": content}

    def _content(self, item: Item, plain: Plain | None) -> str:
        """The hash of a document's content, whose text is known then."""
        if plain is not None:
            if plain.content_hash not in self._texts:
                text = _text(plain.parsed, plain.title, plain.metadata, plain.language)
                self._parsed(plain.content_hash, text)
            return plain.content_hash
        raw = self._source.read(item)
        content = content_hash_of(raw)
        self._look_up([content])
        if content not in self._texts:
            parsed = self._parsing.parse(raw.data, item.uri, raw.media_type)
            self._parsed(content, _text(parsed, raw.title, raw.metadata, UNSAID))
        return content

    def _parsed(self, content: str, text: Row) -> None:
        self._texts[content] = text
        self.fresh.add(content)

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

    def _carried(self, todos: Sequence[Todo]) -> list[Row]:
        """Documents in their last good form. Where the original is as it was, the text is still not
        that of its listing: with its revision it would count as well.
        """
        listed = {todo.doc_id: todo.item.revision for todo in todos if todo.item}
        rows = self._last_good(todos)
        return [
            row | {"revision": ""} if row["revision"] == listed.get(row["doc_id"]) else row
            for row in rows
        ]

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


def _text(
    parsed: Parsed, title: str | None, metadata: Mapping[str, Any], language: str | None
) -> Row:
    merged = {**parsed.metadata, **metadata}
    return {
        "title": title or parsed.title,
        "text": parsed.text,
        "markup": parsed.markup,
        "media_type": parsed.media_type,
        "language": language,
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
