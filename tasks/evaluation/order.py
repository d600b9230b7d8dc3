"""In which order cases are asked, and where a run may look at what it has."""

from collections.abc import Sequence

from llmops.tasks.decisions.rules import Rule
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.schemas import sha256


def parted(cases: Sequence[Case], size: int, rule: Rule, seed: str) -> list[list[Case]]:
    """The cases in parts of `size`, the last one smaller.

    Where a run may stop early, the cases come in an order drawn by `seed` (the hash of the case
    set), with all cases of a group in one part, which may then be larger: intervals that hold at
    every look want independent units in an order that no result has shaped.
    """
    if not rule.stop_early:
        return [list(cases[start : start + size]) for start in range(0, len(cases), size)]
    units: dict[str, list[Case]] = {}
    for case in cases:
        alone = case.group is None or rule.cluster == "none"
        units.setdefault(f"case {case.id}" if alone else f"group {case.group}", []).append(case)
    parts: list[list[Case]] = []
    for name in sorted(units, key=lambda unit: sha256(f"{seed}\x1f{unit}")):
        if not parts or len(parts[-1]) >= size:
            parts.append([])
        parts[-1] += units[name]
    return parts
