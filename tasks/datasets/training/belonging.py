"""Which rows belong together: by group, by conversation, by likeness."""

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np

from llmops.tasks.datasets.training.contents import INSTRUCTIONS, answers, parts, prompt, said, text
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.sketches import BATCH, Alike, Sketches
from llmops.tasks.plugins.cleaners.near_duplicates import words

Kind = Literal["group", "conversation", "near_duplicate"]
CONVERSATION = ("conversation", "conversation_id", "session", "session_id", "trace_id")
"""Keys of a row's lineage that name the conversation it was taken from."""
SMALL_TALK = 4
"""Prompts of fewer words ("Hi", "Yes, please") are said by all: they join no two rows."""


class Link(NamedTuple):
    """Two rows by their numbers, `one` after `other`, and what they share: the group's name, the
    conversation's, or how similar they are.
    """

    kind: Kind
    one: int
    other: int
    what: str


def links(
    rows: Iterable[Row],
    near: float | None,
    *,
    prompts: bool = False,
    wanted: float = 0.995,
    seed: int = 1,
) -> Iterator[Link]:
    """Links that join rows into clusters: those of a group; those of a conversation, be it named in
    the lineage or because one is the beginning of the other; near-duplicates, `near` being the
    similarity of `duplicates`, None for no look at them. With `prompts` also those that ask the
    same, or nearly so. Rows are read once.

    `wanted`, `seed`: see `Sketches`.
    """
    seen: dict[bytes, int] = {}
    openings = _Openings(prompts)
    every, start = iter(rows), 0
    with ExitStack() as stack:
        kinds = (parts, _asked) if prompts else (parts,)
        views = [
            (stack.enter_context(Sketches(near, wanted=wanted, seed=seed)), of)
            for of in kinds
            if near is not None
        ]
        while batch := list(islice(every, BATCH)):
            for number, row in enumerate(batch, start):
                yield from _named(row, number, seen)
                openings.add(row, number)
            for view, of in views:
                view.add(map(of, batch))
            start += len(batch)
        yield from openings.links()
        for view, of in views:
            for alike in view.links():
                yield _alike(alike, "" if of is parts else " in what is asked")


def _alike(alike: Alike, what: str) -> Link:
    similarity = f"similarity {alike.similarity:.3f}{what}"
    return Link("near_duplicate", alike.one, alike.other, similarity)


def _key(*parts: str) -> bytes:
    data = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).digest()


def _named(row: Row, number: int, seen: dict[bytes, int]) -> Iterator[Link]:
    spoken = {key: str(name) for key in CONVERSATION if (name := row.lineage.get(key))}
    for key, name in {"group": row.group, **spoken}.items():
        kind: Kind = "group" if key == "group" else "conversation"
        other = seen.get(_key(key, name))
        seen[_key(key, name)] = number
        if other is not None:
            yield Link(kind, number, other, name)


class _Openings:
    """How conversations begin, as hashes of words: 16 bytes for each message."""

    def __init__(self, prompts: bool) -> None:
        self._prompts = prompts
        self._begun, self._begins = array("Q"), array("L")
        self._ended, self._ends = array("Q"), array("L")

    def add(self, row: Row, number: int) -> None:
        asked = [one for one in prompt(row) if one.role not in INSTRUCTIONS]
        if len(words(said(tuple(asked)))) < SMALL_TALK:
            return
        spoken, last = [*asked, *answers(row)[0]], b""
        for place, one in enumerate(spoken, 1):
            last = _key(last.hex(), one.role, *words(text(one)))
            self._begun.append(int.from_bytes(last[:8], "little"))
            self._begins.append(number)
            if place == len(spoken) or (self._prompts and place == len(asked)):
                self._ended.append(self._begun[-1])
                self._ends.append(number)

    def links(self) -> Iterator[Link]:
        """A row, and every other one whose conversation begins with all of it."""
        begun = np.array(self._begun, np.uint64)
        order = np.argsort(begun, kind="stable")
        hashes, first = np.unique(np.array(self._ended, np.uint64), return_index=True)
        starts = np.searchsorted(begun[order], hashes, "left")
        ends = np.searchsorted(begun[order], hashes, "right")
        several = np.flatnonzero(ends - starts > 1)
        for place in several.tolist():
            last = self._ends[int(first[place])]
            for each in order[starts[place] : ends[place]].tolist():
                one, other = max(last, self._begins[each]), min(last, self._begins[each])
                if one != other:
                    yield Link("conversation", one, other, "that begins alike")


def _asked(row: Row) -> tuple[str]:
    asked = said(prompt(row))
    return (asked if len(words(asked)) >= SMALL_TALK else "",)
