"""Published data sets of training rows: which of them hold rows of what was deleted since. They are
named, and not taken back: a model may have been trained on them.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.traces.written import gone_people, gone_traces

LINEAGE = "lineage.jsonl"
"""In each version of a data set: a line for every row, without its texts."""
BLOCK = 5_000


class RowOrigin(NamedTuple):
    """What a row is made of."""

    trace_id: str
    people: tuple[str, ...]
    knowledge_base: str
    uris: frozenset[str]


def origin_of(lineage: Mapping[str, object]) -> RowOrigin:
    """Of the lineage of a row, which may say anything."""
    passages = [each for each in _listed(lineage.get("passages")) if isinstance(each, Mapping)]
    uris = [lineage.get("uri"), *_listed(lineage.get("uris")), *(p.get("uri") for p in passages)]
    return RowOrigin(
        trace_id=str(lineage.get("trace_id") or ""),
        people=tuple(map(str, _listed(lineage.get("reviewers")))),
        knowledge_base=str(lineage.get("knowledge_base") or ""),
        uris=frozenset(str(each) for each in uris if each),
    )


def _listed(value: object) -> Collection[object]:
    return value if isinstance(value, list | tuple) else ()


def holding_document(home: Path, knowledge_base: str, uris: Collection[str]) -> list[str]:
    """The versions with rows that rest on a document, as `helpdesk v3: 12 rows`."""

    def mine(origins: list[RowOrigin]) -> int:
        return sum(
            each.knowledge_base == knowledge_base and bool(each.uris.intersection(uris))
            for each in origins
        )

    return _named(home, mine)


def holding_deleted(home: Path) -> list[str]:
    """The versions with rows of traces that were deleted, or of people who were."""

    def gone(origins: list[RowOrigin]) -> int:
        lost = gone_traces(home, {each.trace_id for each in origins if each.trace_id})
        nobody = gone_people(home, {who for each in origins for who in each.people})
        return sum(
            each.trace_id in lost or bool(nobody.intersection(each.people)) for each in origins
        )

    return _named(home, gone)


def _named(home: Path, count: Callable[[list[RowOrigin]], int]) -> list[str]:
    found = []
    for file in sorted((home / "datasets").glob(f"*/v*/{LINEAGE}")):
        if rows := sum(count(block) for block in _blocks(file)):
            folder = file.parent
            found.append(f"{folder.parent.name} {folder.name}: {rows} rows")
    return found


def _blocks(file: Path) -> Iterator[list[RowOrigin]]:
    block: list[RowOrigin] = []
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            content = json.loads(line)
            block.append(origin_of(content.get("lineage", {})))
            if len(block) == BLOCK:
                yield block
                block = []
    if block:
        yield block
