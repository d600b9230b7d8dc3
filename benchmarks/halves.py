"""Would other cases have said the same? The verdict of a random half of the cases against that of
the other half.

A verdict is worth something when it repeats. Nothing is asked again: the pairs of a decision record
are split by group (cases of one group stay together), and each half is decided by the same function
that made the record.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from llmops.tasks.decisions.decision import Word
from llmops.tasks.decisions.evidence import Evidence, Pairs
from llmops.tasks.decisions.verdict import decide

WORDS: tuple[Word, ...] = ("promote", "reject", "inconclusive")


@dataclass(frozen=True)
class Halves:
    """`pairs`: how often the two halves said what, in the order of WORDS, so that (promote, reject)
    counts both ways round.
    """

    pairs: Mapping[tuple[Word, Word], int]

    @property
    def splits(self) -> int:
        return sum(self.pairs.values())

    @property
    def agreement(self) -> float:
        """The share of splits whose halves have the same verdict."""
        return sum(count for (one, two), count in self.pairs.items() if one == two) / self.splits

    @property
    def contradiction(self) -> float:
        """The share of splits in which one half promotes what the other rejects."""
        return self.pairs.get(("promote", "reject"), 0) / self.splits

    def share(self, word: Word) -> float:
        """How many of all halves have this verdict."""
        return sum(
            count * ((one == word) + (two == word)) for (one, two), count in self.pairs.items()
        ) / (2 * self.splits)


def halves(
    evidence: Evidence,
    splits: int = 200,
    seed: int = 0,
    *,
    alike: bool = False,
    most: int | None = None,
) -> Halves:
    """Splits at random by group, the same for the same seed. `most`: so many groups a side at most,
    instead of half of all.

    `alike`: the two arms change places at random in each group, before each split: what is then
    compared has the spread of the true pairs, and no true difference (an A/A comparison).
    """
    chance, found = Random(seed), Counter[tuple[Word, Word]]()
    for _ in range(splits):
        whole = swapped(evidence, chance) if alike else evidence
        words = sorted(
            (decide(part(whole, half)).verdict for half in _halved(evidence, chance, most)),
            key=WORDS.index,
        )
        found[words[0], words[1]] += 1
    return Halves(found)


def only(evidence: Evidence, candidate: str) -> Evidence:
    """The baseline and one candidate, and the metrics that decide about it: the others do not
    change a verdict of two arms.
    """
    arms = (evidence.baseline, candidate)
    metrics = {
        name: one
        for name, one in evidence.metrics.items()
        if name in (evidence.rule.metric, *evidence.rule.not_worse)
    }
    plain = evidence.pairs.model_dump()
    plain["values"] = {
        arm: {name: column for name, column in plain["values"][arm].items() if name in metrics}
        for arm in arms
    }
    plain["tags"] = [[] for _ in plain["tags"]]
    for name in ("errors", "judge_failures", "calls"):
        plain[name] = {arm: one for arm, one in plain[name].items() if arm in arms}
    return evidence.model_copy(
        update={"arms": arms, "metrics": metrics, "pairs": Pairs.model_validate(plain)}
    )


def part(evidence: Evidence, places: Sequence[int]) -> Evidence:
    """The evidence of the cases at these places, as if they were all that there are."""
    return evidence.model_copy(
        update={
            "pairs": Pairs.model_validate(_picked(evidence.pairs.model_dump(), places)),
            "total": len(places),
        }
    )


def swapped(evidence: Evidence, chance: Random) -> Evidence:
    """In a random half of the groups the candidate's values are the baseline's, and the other way
    round.
    """
    base, new = evidence.baseline, evidence.candidates[0]
    turned = {group for group in dict.fromkeys(_groups(evidence)) if chance.random() < 0.5}
    turns = [group in turned for group in _groups(evidence)]
    values = {
        base: _mixed(evidence.pairs.values, base, new, turns),
        new: _mixed(evidence.pairs.values, new, base, turns),
    }
    return evidence.model_copy(
        update={"pairs": evidence.pairs.model_copy(update={"values": values})}
    )


def _mixed(
    values: Mapping[str, Mapping[str, Sequence[Any]]], mine: str, other: str, turns: Sequence[bool]
) -> dict[str, list[Any]]:
    return {
        name: [
            two if turn else one
            for one, two, turn in zip(column, values[other][name], turns, strict=True)
        ]
        for name, column in values[mine].items()
        if name in values[other]
    }


def _groups(evidence: Evidence) -> list[Any]:
    return list(range(len(evidence.pairs.cases))) if evidence.labels is None else evidence.labels


def _halved(evidence: Evidence, chance: Random, most: int | None) -> tuple[list[int], list[int]]:
    """Half of the groups at random, and the others. A group's size does not matter, so that halves
    differ a little in size.
    """
    groups = _groups(evidence)
    names = list(dict.fromkeys(groups))
    size = min(len(names) // 2, most or len(names))
    drawn = chance.sample(names, 2 * size)
    one, two = set(drawn[:size]), set(drawn[size:])
    return [n for n, group in enumerate(groups) if group in one], [
        n for n, group in enumerate(groups) if group in two
    ]


def _picked(value: Any, places: Sequence[int]) -> Any:
    if isinstance(value, Mapping):
        return {name: _picked(one, places) for name, one in value.items()}
    return [value[place] for place in places]
