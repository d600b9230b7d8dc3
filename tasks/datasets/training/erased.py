"""Rows that may not be used any more: their trace, a reviewer or their document was erased."""

from collections.abc import Iterable
from pathlib import Path

from llmops.tasks.datasets.training.row import Row
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.suppressed import suppressed_hashes, uri_hash
from llmops.tasks.traces.published import RowOrigin, origin_of
from llmops.tasks.traces.written import gone_people, gone_traces

TRACE, PERSON = "its trace was deleted", "somebody whose word it is was deleted"
DOCUMENT = "a document that it rests on was erased"


def erased_among(home: Path, rows: Iterable[Row]) -> dict[int, str]:
    """Why those of the rows have to go that have to, by their places among those given."""
    origins = [origin_of(row.lineage) for row in rows]
    lost = gone_traces(home, {each.trace_id for each in origins if each.trace_id})
    nobody = gone_people(home, {who for each in origins for who in each.people})
    barred = _barred(home, {each.knowledge_base for each in origins if each.uris})
    found: dict[int, str] = {}
    for place, each in enumerate(origins):
        if each.trace_id in lost:
            found[place] = TRACE
        elif nobody.intersection(each.people):
            found[place] = PERSON
        elif _rests_on(each, barred):
            found[place] = DOCUMENT
    return found


def _barred(home: Path, names: Iterable[str]) -> dict[str, frozenset[str]]:
    return {each: suppressed_hashes(Handle(home=home, name=each)) for each in names if each}


def _rests_on(origin: RowOrigin, barred: dict[str, frozenset[str]]) -> bool:
    hashes = barred.get(origin.knowledge_base)
    return bool(hashes) and any(
        uri_hash(origin.knowledge_base, uri) in (hashes or ()) for uri in origin.uris
    )
