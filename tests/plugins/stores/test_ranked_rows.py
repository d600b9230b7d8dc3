"""Lists whose rows are made when they are looked at."""

from collections.abc import Sequence

import numpy as np
import pytest

from llmops.tasks.plugins.stores import (
    Numbers,
    RankedRow,
    RankedRows,
    at_once,
    ranked_rows,
    rows_of,
)


def row(name: str, score: float) -> RankedRow:
    return RankedRow(name, f"{name}.md", 0, name, 0, 4, score, (None, 0))


class Counted:
    """Rows by number; it counts those that were made."""

    def __init__(self) -> None:
        self.rows = self.calls = 0

    def made(self, numbers: Numbers, scores: Sequence[float]) -> list[RankedRow]:
        self.rows += len(numbers)
        self.calls += 1
        return [row(f"r{n:03}", score) for n, score in zip(numbers, scores, strict=True)]


def listed(owner: Counted, size: int = 100) -> RankedRows:
    return RankedRows(owner, np.arange(size)[::-1], np.arange(size, 0.0, -1))


def test_it_is_a_sequence_of_rows() -> None:
    rows = listed(Counted(), 20)
    whole = [row(f"r{n:03}", n + 1.0) for n in range(19, -1, -1)]
    assert [*rows] == whole
    assert (len(rows), rows[0], rows[-1], rows[3:5]) == (20, whole[0], whole[-1], whole[3:5])
    assert (rows[7], whole[7] in rows) == (whole[7], True)
    with pytest.raises(IndexError):
        rows[20]
    assert not listed(Counted(), 0)


def test_only_what_is_looked_at_is_made() -> None:
    owner = Counted()
    rows = listed(owner)
    for _, _ in zip(range(3), rows, strict=False):
        pass
    assert owner.rows < 40


def test_the_first_rows_of_many_lists_are_made_together() -> None:
    owner = Counted()
    lists = [listed(owner, size) for size in (100, 0, 3, 16, 17)]
    every = rows_of(lists)
    assert owner.calls == 1
    assert [[*rows] for rows in every] == [[*each] for each in lists]
    mixed = [listed(Counted(), 4), [row("a", 2.0)], listed(Counted(), 2)]
    assert [[*rows] for rows in rows_of(mixed)] == [[*each] for each in mixed]
    assert rows_of([]) == []


def test_lists_of_one_owner_stay_as_they_are_and_others_are_told_apart_by_chunk_id() -> None:
    one, other = listed(Counted()), listed(Counted(), 50)
    same = RankedRows(one.owner, one.numbers[:5], one.scores[:5])
    assert ranked_rows(one, same) == [one, same]
    mixed = ranked_rows(one, other, [row("r007", 3.0), row("a", 2.0)])
    assert len({id(each.owner) for each in mixed}) == 1
    for before, after in zip((one, other), mixed, strict=False):
        assert [*after] == [*before]
    assert mixed[2].numbers[1] == 0  # `a.md` is the first of all uris
    assert mixed[2].numbers[0] == mixed[0].numbers[92] == mixed[1].numbers[42]


def test_searches_at_once_keep_their_order_and_raise_what_one_raises() -> None:
    assert at_once(lambda n: n * n, range(10)) == [n * n for n in range(10)]
    assert at_once(lambda n: n, []) == []
    with pytest.raises(ZeroDivisionError):
        at_once(lambda n: 1 // n, [1, 0, 2])
