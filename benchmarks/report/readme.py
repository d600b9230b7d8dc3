"""The sentence with figures in the README, between its marks."""

from collections.abc import Sequence

from benchmarks.report.page import number
from benchmarks.report.records import Part, compared

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
STAGES = {"unchanged": "nothing changed", "1 % edited": "1 % edited", "cold": "from nothing"}


def summary(parts: Sequence[Part]) -> str:
    """Of those parts that were measured; nothing where none was."""
    by = {part.name: part for part in parts}
    said = []
    if "ingestion" in by:
        said += [ingestion(by["ingestion"])]
    if "search" in by:
        name = last(by["search"], ", hybrid: p50")
        size = name.removesuffix(", hybrid: p50")
        said += [against(by["search"], name, f"A hybrid search over {size} (p50)")]
    if "evaluation" in by:
        said += [against(by["evaluation"], "whole command: time", "An evaluation (whole command)")]
    if not said:
        return ""
    quick = " (a quick run: small and few)" if any(part.quick for part in parts) else ""
    rest = "All figures, their spread, and where a peer is ahead: "
    where = "[docs/benchmarks](docs/benchmarks/index.md)."
    return f"**Measured**{quick}: {' '.join(said)} {rest}{where}"


def ingestion(part: Part) -> str:
    """Whole commands, each beside the best peer."""
    told = []
    for stage, words in STAGES.items():
        result = compared(part.measures[f"{stage}: time"])
        ours = part.measures[f"{stage}: time"][0]
        peer = f" ({result.peer.system} {number(result.peer.median)} s)" if result else ""
        told.append(f"{words} {number(ours.median)} s{peer}")
    return f"`llmops index` as a whole command, {', '.join(told)}."


def against(part: Part, name: str, what: str) -> str:
    records = part.measures[name]
    result = compared(records)
    ours = records[0]
    peer = f", {result.peer.system} {number(result.peer.median)} {ours.unit}" if result else ""
    return f"{what}: {number(ours.median)} {ours.unit}{peer}."


def last(part: Part, ending: str) -> str:
    """The measure of the largest base."""
    return [name for name in part.measures if name.endswith(ending)][-1]


def filled(text: str, parts: Sequence[Part]) -> str:
    """The README with the sentence of these figures. Raises ValueError without the marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{summary(parts)}\n{END}{after}"
