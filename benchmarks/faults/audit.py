"""From what a reader found to the figures of a cell."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.faults.corpus import Change

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Snapshot:
    """What one search found: (uri, text) of each chunk. `at`: when it began, in seconds of the
    clock.
    """

    at: float
    rows: Rows
    error: str = ""


@dataclass(frozen=True)
class Figures:
    """What a cell came to. Nought is best everywhere, but `least_share`, where 1 is; None: not
    counted, since the fault itself took the store.
    """

    lost: int
    stale: int
    least_share: float | None
    mixed: int
    paid_again: int
    wrong_deletions: int
    silent: int

    @property
    def clean(self) -> bool:
        return self.least_share in (1, None) and not any(
            value for name, value in asdict(self).items() if name != "least_share"
        )


@dataclass(frozen=True)
class Found:
    """A snapshot held against what is right. Each is a set of uris."""

    lost: frozenset[str]
    stale: frozenset[str]

    @property
    def wrong(self) -> frozenset[str]:
        return self.lost | self.stale


def snapshots(file: Path) -> list[Snapshot]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        Snapshot(line["at"], [(uri, text) for uri, text in line["rows"]], line["error"])
        for line in lines
    ]


def parts(text: str) -> list[str]:
    return text.strip().split("\n\n")


def by_document(rows: Rows) -> dict[str, Counter[str]]:
    """How often each paragraph of a document was found."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for uri, text in rows:
        found[uri].update(parts(text))
    return found


def held(rows: Rows, change: Change) -> Found:
    """`lost`: documents that are whole neither in their new nor in their old text. `stale`: those
    that are found otherwise than is right: in their old text, with remains of it, twice, cut by
    another configuration, or though they were removed.
    """
    found, lost, stale = by_document(rows), set(), set()
    for uri, text in change.right.items():
        seen = found.get(uri, Counter())
        right, old = set(parts(text)), set(parts(change.before.get(uri, text)))
        if not (right <= seen.keys() or old <= seen.keys()):
            lost.add(uri)
        elif seen != Counter(right):
            stale.add(uri)
    stale |= found.keys() - change.right.keys()
    stale |= {uri for uri, text in rows if len(parts(text)) != change.per_chunk} - lost
    return Found(frozenset(lost), frozenset(stale))


def share(rows: Rows, change: Change) -> float:
    """Of the documents that were there and stay: how many are whole, in their new or old text."""
    found, whole = by_document(rows), 0
    for uri in change.stays:
        seen = found.get(uri, Counter()).keys()
        whole += any(set(parts(text)) <= seen for text in (change.before[uri], change.right[uri]))
    return whole / len(change.stays)


def mixed(rows: Rows, change: Change) -> int:
    """How many documents stand apart: found with paragraphs of both their texts, or cut as the
    fewer of all documents are.
    """
    found, sizes = by_document(rows), defaultdict(set)
    for uri, text in rows:
        sizes[len(parts(text))].add(uri)
    both = {
        uri
        for uri in change.stays
        if only(change.before[uri], change.right[uri]) & found.get(uri, Counter()).keys()
        and only(change.right[uri], change.before[uri]) & found.get(uri, Counter()).keys()
    }
    fewer = min((uris for uris in sizes.values()), key=len) if len(sizes) > 1 else set()
    return len(both | fewer)


def only(text: str, other: str) -> set[str]:
    return set(parts(text)) - set(parts(other))


def paid_again(before: Iterable[str], since: Iterable[str]) -> int:
    """How many texts of the bill had been paid already."""
    known, again = set(before), 0
    for text in since:
        again += text in known
        known.add(text)
    return again
