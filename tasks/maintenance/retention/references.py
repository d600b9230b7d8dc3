"""What in a home is there for the sake of what: the one graph by which anything is removed.

A thing is kept where it is young, where it is pinned (live, the newest of its name, or not ours),
and where anything that is kept needs it. All else may go.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal[
    "version", "outcome", "run", "decision", "evaluation", "dataset", "training", "model", "ranking"
]


class Reference(NamedTuple):
    """A thing by its kind and its name: `version handbook/3`, `run` and `outcome` by their ids,
    `decision` and `evaluation` by theirs, `dataset helpdesk/3`, `training helpdesk/FOLDER`,
    `model helpdesk/3`, `ranking handbook/3`.
    """

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class HeldThing(NamedTuple):
    """A thing that a home holds. `at`: when it was last of use to whoever made it; `needs`: what
    has to be there as long as this is; `pinned`: it stays whatever its age.
    """

    reference: Reference
    at: datetime
    needs: frozenset[Reference] = frozenset()
    pinned: bool = False


class Holdings:
    """All that a home holds, each thing once."""

    def __init__(self, things: Iterable[HeldThing]) -> None:
        self.things = {each.reference: each for each in things}

    def kept(
        self, limits: Mapping[Kind, datetime | None], named: Collection[Reference] = ()
    ) -> set[Reference]:
        """What stays. `limits`: what is older may go, by kind; kinds without one stay. `named`:
        what somebody outside of the home needs.
        """
        waiting = [
            reference
            for reference, each in self.things.items()
            if each.pinned
            or reference in named
            or (limit := limits.get(reference.kind)) is None
            or each.at >= limit
        ]
        kept = set[Reference]()
        while waiting:
            reference = waiting.pop()
            if reference not in kept:
                kept.add(reference)
                waiting += [each for each in self.things[reference].needs if each in self.things]
        return kept

    def going(
        self,
        kind: Kind,
        limits: Mapping[Kind, datetime | None],
        named: Collection[Reference] = (),
    ) -> list[str]:
        """The names of what may go, of one kind, the oldest first."""
        kept = self.kept(limits, named)
        gone = [
            each
            for reference, each in self.things.items()
            if reference.kind == kind and reference not in kept
        ]
        return [each.reference.name for each in sorted(gone, key=lambda each: (each.at, each[0]))]

    def dangling(self) -> dict[Reference, list[Reference]]:
        """What refers to what is not there, by who refers: what is needed and gone."""
        lacking = {
            reference: sorted(each.needs - self.things.keys())
            for reference, each in self.things.items()
        }
        return {reference: gone for reference, gone in lacking.items() if gone}
