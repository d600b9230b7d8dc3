"""Rows that say what another row says: exactly, in another spelling, or with few changes."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from llmops.tasks.datasets.training.contents import content_hashes, parts
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.sketches import Sketches

NEAR = 0.85


class DuplicateRow(NamedTuple):
    """A row to leave out. `number`: its place among those that were given, from 0; `of`: the id of
    the row that is kept instead; `similarity`: Jaccard of shingles, 1 for `exact` and `normalised`.
    """

    number: int
    id: str
    of: str
    kind: Literal["exact", "normalised", "near"]
    similarity: float


def duplicates(rows: Iterable[Row], near: float | None = NEAR) -> list[DuplicateRow]:
    """The rows to leave out, in their order. The first of equal rows is kept, so give the better
    ones first; none is left out for one that is left out itself. Content alone is compared: never
    id, group, score or lineage.

    `near`: rows are near-duplicates from this Jaccard similarity of their runs of three words
    (characters, in scripts without blanks), if they also share half the words of what is asked and
    half of what is answered: two questions on one passage are two rows. Instructions do not count,
    since all rows share them. A pair just at the threshold is missed with a probability of .005;
    none is left out below it. None: only equal rows are looked for. Rows are read once; some 700
    bytes of each stay in memory.
    """
    ids, found = list[str](), dict[int, DuplicateRow]()
    fresh = _not_equal(rows, ids, found)
    if near is None:
        for _ in fresh:
            pass
        return list(found.values())
    numbers = list[int]()
    with Sketches(near) as sketches:
        sketches.add(_noted(fresh, numbers))
        for alike in sketches.repeated():
            number, kept = numbers[alike.one], numbers[alike.other]
            found[number] = DuplicateRow(number, ids[number], ids[kept], "near", alike.similarity)
    return [found[number] for number in sorted(found)]


def _not_equal(
    rows: Iterable[Row], ids: list[str], found: dict[int, DuplicateRow]
) -> Iterator[tuple[int, Row]]:
    """The rows that no row before is equal to; the others are entered in `found`."""
    seen: dict[bytes, int] = {}
    for number, row in enumerate(rows):
        ids.append(row.id)
        exact, plain = (each[:16] for each in content_hashes(row))
        first = seen.get(exact, seen.get(plain))
        if first is None:
            seen[exact] = seen[plain] = number
            yield number, row
        else:
            kind: Literal["exact", "normalised"] = "exact" if exact in seen else "normalised"
            found[number] = DuplicateRow(number, row.id, ids[first], kind, 1.0)
            seen.setdefault(exact, first)


def _noted(rows: Iterable[tuple[int, Row]], numbers: list[int]) -> Iterator[tuple[str, str]]:
    for number, row in rows:
        numbers.append(number)
        yield parts(row)
