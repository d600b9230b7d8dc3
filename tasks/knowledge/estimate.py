"""What a plan will cost, before anything is spent: learned from what the knowledge base has seen of
each kind of file, else by what kinds of files usually hold.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypedDict

from sqlalchemy import select

from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.build import Build, Todo
from llmops.tasks.knowledge.plan import Plan, live_documents
from llmops.tasks.knowledge.sizes import kind_of
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import chunks, documents
from llmops.tasks.schemas import Shard

FEW = 5
"""Documents of a kind below which its ratio is not taken for known."""
SHARDS = 3
"""Files of the lake that are read to learn how many tokens a character makes."""
TEXTS = (
    "md",
    "markdown",
    "txt",
    "text",
    "rst",
    "tex",
    "adoc",
    "asciidoc",
    "py",
    "js",
    "ts",
    "java",
)
TABLES = ("csv", "tsv", "json", "jsonl", "yaml", "yml")
MARKUP = ("html", "htm", "xhtml", "xml", "nxml", "vtt", "srt", "eml", "mbox", "ipynb")
CONTAINERS = (
    *("pdf", "doc", "docx", "ppt", "pptx", "xls", "xlsx", "xlsb", "odt", "odp", "ods", "epub"),
    *("rtf", "msg", "zip"),
)
PER_BYTE: dict[tuple[str, ...], tuple[float, float, float]] = {
    TEXTS: (0.12, 0.25, 0.45),
    TABLES: (0.12, 0.3, 0.75),
    MARKUP: (0.005, 0.08, 0.25),
    CONTAINERS: (0.0001, 0.005, 0.06),
}
"""Tokens a byte: little, likely, much. The ends and the middle of 145 files of docling's test data
with the Markdown that is expected of them, at four characters a token.
"""
ANYTHING = (0.0, 0.02, 0.45)
PER_CHARACTER = (0.2, 0.25, 0.7)
"""Tokens a character where nothing was measured: English, and Chinese at the upper end."""


class Estimate(TypedDict):
    """What a plan will cost. `documents`: to be processed; `bytes`: of those that have to be read;
    `tokens` and `cost_usd`: at most about; `likely_*` and `least_*`: below that. `sure`: `measured`
    on this knowledge base, `partly`, or `guessed`; `basis`: in words.
    """

    documents: int
    bytes: int
    tokens: int
    likely_tokens: int
    least_tokens: int
    cost_usd: float
    likely_cost_usd: float
    least_cost_usd: float
    sure: str
    basis: str


class _Range(NamedTuple):
    """Tokens: little, likely, much."""

    least: float = 0.0
    likely: float = 0.0
    most: float = 0.0

    def plus(self, other: "_Range") -> "_Range":
        return _Range(*(a + b for a, b in zip(self, other, strict=True)))


def estimate(build: Build, plan: Plan, price: float) -> Estimate:
    """Renamed documents cost nothing: their chunks are there. Of changed ones, and of those that
    are cut or embedded anew, perhaps nothing is new.
    """
    paying = [todo for todo in plan.todo if todo.kind != "renamed"]
    per_character, counted = _tokens_per_character(build)
    live = live_documents(build)
    sums = _Range()
    measured = guessed = 0
    for kind, todos in _by_kind(paying).items():
        unread = [each for each in todos if each.item is None or not each.item.size]
        size = sum(each.item.size for each in todos if each.item)
        known = plan.sizes.get(kind)
        new = _share_of_new(todos)
        if size and known is not None and known.documents >= FEW and counted:
            low, likely, high = known.range_of(size)
            low, likely, high = (each * per_character[1] for each in (low, likely, high))
            measured += len(todos)
        else:
            low, likely, high = (each * size for each in _usual(kind))
            guessed += len(todos) - len(unread)
        sums = sums.plus(_Range(low * new, likely, high))
        again = sum(live[each.doc_id].characters for each in unread if each.doc_id in live)
        sums = sums.plus(_Range(0.0, again * per_character[1], again * per_character[2]))
    return _estimate(plan, paying, sums, price, measured, guessed)


def _estimate(
    plan: Plan, paying: list[Todo], sums: _Range, price: float, measured: int, guessed: int
) -> Estimate:
    least, likely, most = (round(each) for each in sums)
    sure = "measured" if not guessed else "partly" if measured else "guessed"
    renamed = len(plan.todo) - len(paying)
    return {
        "documents": len(plan.todo),
        "bytes": sum(todo.item.size for todo in paying if todo.item),
        "tokens": most,
        "likely_tokens": likely,
        "least_tokens": least,
        "cost_usd": round(most * price / 1e6, 6),
        "likely_cost_usd": round(likely * price / 1e6, 6),
        "least_cost_usd": round(least * price / 1e6, 6),
        "sure": sure,
        "basis": _basis(plan, sure, renamed),
    }


def _basis(plan: Plan, sure: str, renamed: int) -> str:
    seen = sum(each.documents for each in plan.sizes.values())
    told = {
        "measured": f"by {seen:,} documents of the same kinds in this knowledge base",
        "partly": f"by {seen:,} documents in this knowledge base, and by what other kinds of files "
        "usually hold",
        "guessed": "by what files of these kinds usually hold; no document of them is live yet",
    }[sure]
    return f"{told}; {renamed:,} renamed cost nothing" if renamed else told


def _by_kind(todos: Iterable[Todo]) -> Mapping[str, list[Todo]]:
    found: dict[str, list[Todo]] = {}
    for each in todos:
        found.setdefault(kind_of(each.uri), []).append(each)
    return found


def _share_of_new(todos: list[Todo]) -> float:
    """The share of bytes that is new for certain: of changed documents all may be there already."""
    size = sum(each.item.size for each in todos if each.item)
    new = sum(each.item.size for each in todos if each.item and each.kind == "new")
    return new / size if size else 0.0


def _usual(kind: str) -> tuple[float, float, float]:
    return next((ratio for kinds, ratio in PER_BYTE.items() if kind in kinds), ANYTHING)


def _tokens_per_character(build: Build) -> tuple[tuple[float, float, float], bool]:
    """Little, likely, much; and whether it was measured, on chunks of the live version."""
    if build.live is None:
        return PER_CHARACTER, False
    mine = (chunks.c.kb == build.kb) & live_at(chunks, build.live) & (chunks.c.shard != "")
    with build.ledger.read() as connection:
        query = select(chunks.c.shard).where(mine).distinct().limit(SHARDS)
        shards = list(connection.scalars(query))
    tokens: dict[str, int] = {}
    for path in shards:
        try:
            table = Shard(path=path, rows=0, sha256=PurePosixPath(path).stem).table(
                build.handle.lake, ["doc_id", "tokens"]
            )
        except Damaged:  # an estimate is no reason to stop: the build says it
            continue
        for row in table.to_pylist():
            tokens[row["doc_id"]] = tokens.get(row["doc_id"], 0) + int(row["tokens"])
    characters = _characters(build, build.live, list(tokens))
    known = [key for key in tokens if characters.get(key)]
    if not known:
        return PER_CHARACTER, False
    ratio = sum(tokens[key] for key in known) / sum(characters[key] for key in known)
    return (ratio, ratio, ratio), True


def _characters(build: Build, live: int, doc_ids: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    with build.ledger.read() as connection:
        for start in range(0, len(doc_ids), 500):
            mine = documents.c.doc_id.in_(doc_ids[start : start + 500])
            query = select(documents.c.doc_id, documents.c.characters).where(
                documents.c.kb == build.kb, live_at(documents, live), mine
            )
            found |= {row.doc_id: row.characters for row in connection.execute(query)}
    return found
