"""The Markdown page, of what lies in `raw/` alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.report.records import Comparison, Part, Record, compared, read
from benchmarks.report.unmeasured import unmeasured

ORDER = (
    "ingestion",
    "chunking",
    "embedding",
    "search",
    "evaluation",
    "startup",
    "serving",
    "quality",
)
FAULTS = "faults"
HEAD = """# Benchmarks

What `make bench` measured, ours and the peers' in one run: the same documents, the same
embedder, one machine, the systems in turn, each round beginning with another one. Cells are
medians, with the least and the most of all rounds in brackets; the best median of a line is
bold. Each peer is set up as its own documentation recommends for speed and safety. Times depend
on the machine: compare within a line.

`make bench` takes some 40 minutes on two cores, `make bench-quick` some 5 (fewer documents
and rounds, into a temporary folder); `python -m benchmarks NAME` runs one part,
`python -m benchmarks.report` makes page and plots again from the raw figures. The peers are the
extra `peers`, in an environment of their own: `.venv-peers`, or the interpreter that
`LLMOPS_BENCH_PEERS` names; `make bench TORCH=1` adds those that need torch (some 6 GB).
"""
QUICK = """**These are figures of a quick run**: fewer documents and rounds than `make bench`
takes, so with more chance in them.
"""
STUDIES = """## Studies that are started by name

They take longer, compare ours with ours, or need data; each prints its tables and says in its
head what it does. Their figures stand in the pages of their topics.

| command | what it measures |
|---|---|
"""
NAMED = {
    "incremental": ("ingestion of 10,000 files, ours alone", "knowledge"),
    "stores": ("LanceDB and Weaviate: build, publish, rollback, searches", "storage"),
    "search": ("modes, conditions and threads of a search", "storage"),
    "serving": ("load before, during and after a publish", "serving"),
    "scale": ("shards on Dask and Ray, large ledgers", "scale"),
    "server": ("what the background Prefect server costs", "operation"),
    "retention": ("a home after ninety nights", "operation"),
    "runner": ("throughput of the evaluation runner", "evaluation"),
    "overhead": ("evaluation beside busy processes", "evaluation"),
    "simulations": ("error rates of decisions", "evaluation"),
    "answers": ("prompts compared on public sets", "evaluation"),
    "retrieval": ("nDCG on public judged sets", "retrieval"),
    "embedding": ("fp32 and int8, and how near they are", "retrieval"),
    "chunking": ("chunkers on exact spans", "chunking"),
    "cleaners": ("what cleaners find and miss", "cleaning"),
    "drift": ("false alarms of the monitor", "monitoring-statistics"),
    "recommendations": ("missing pages found", "monitoring-recommendations"),
}
"""The studies that `python -m benchmarks.NAME` starts: what of, and the page of the topic."""


def parts(folder: Path) -> list[Part]:
    """What was measured, in the order of the page."""
    files = [folder / "raw" / f"{name}.json" for name in ORDER]
    return [read(file) for file in files if file.exists()]


def page(folder: Path) -> str:
    """The whole page of a folder with `raw/`."""
    found = parts(folder)
    quick = QUICK if any(part.quick for part in found) else ""
    missing = gaps(folder)
    blocks = [HEAD, quick, surroundings(found), not_measured(missing), ahead(found, missing)]
    blocks += [*map(section, found), faults(folder)]
    text = "\n\n".join(block.rstrip("\n") for block in [*blocks, STUDIES] if block)
    rows = [
        f"| `python -m benchmarks.{name}` | {what} ([{topic}.md](../{topic}.md)) |\n"
        for name, (what, topic) in NAMED.items()
    ]
    return f"{text}\n{''.join(rows)}"


def surroundings(found: Sequence[Part]) -> str:
    """Machine and versions, of the first part."""
    if not found:
        return "Nothing has been measured yet.\n"
    first = found[0]
    told = [f"{name} {value}" for name, value in first.machine.items() if name != "load before"]
    versions = [f"{name} {value}" for name, value in first.versions.items() if value != "absent"]
    absent = [name for name, value in first.versions.items() if value == "absent"]
    seconds = sum(part.seconds for part in found)
    lines = [
        f"**Measured** {first.date}, in {seconds / 60:.0f} minutes.",
        f"**Machine**: {', '.join(told)}.",
        f"**Versions**: {', '.join(versions)}.",
        f"**Not installed**: {', '.join(absent)}." if absent else "",
    ]
    return "\n\n".join(filter(None, lines)) + "\n"


def gaps(folder: Path) -> dict[str, str]:
    """Why a part has no figures of its last run, by its name, in the order of the page."""
    told, why = unmeasured(folder), {}
    for name in (*ORDER, FAULTS):
        there = (folder / "raw" / f"{name}.json").exists()
        if name in told:
            one = told[name]
            said = f"{'failed' if one['failed'] else 'skipped'} on {one['date']}: {one['why']}"
            why[name] = f"{said}; its figures below are older" if there else said
        elif not there:
            why[name] = "has not been run"
    return why


def not_measured(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    lines = [f"- **{name}** {why}." for name, why in missing.items()]
    return "## What was not measured\n\n" + "\n".join(lines) + "\n"


def ahead(found: Sequence[Part], missing: Mapping[str, str]) -> str:
    """Every measure in which a peer has the better median, and what nobody can say that of."""
    lost = [
        f"- {part.title}, {result.name}: {result.peer.system} {cell(result.peer)} "
        f"{result.peer.unit}, ours {cell(result.ours)} ({result.said})."
        for part in found
        for result in comparisons(part)
        if result.times < 1
    ]
    absent = [f"{part.title} without {name}" for part in found for name in part.skipped]
    unknown = [*(f"the part {name}" for name in missing), *absent]
    lines = lost or ["Nowhere in what was measured."]
    lines += ["", f"Not measured, so not judged: {', '.join(unknown)}."] if unknown else []
    return "## Where a peer is ahead\n\n" + "\n".join(lines) + "\n"


def comparisons(part: Part) -> Iterator[Comparison]:
    for records in part.measures.values():
        result = compared(records)
        if result:
            yield result


def section(part: Part) -> str:
    skipped = [f"- **{name}** was not measured: {why}." for name, why in part.skipped.items()]
    plot = f"![{part.title}: medians, with the least and the most]({part.name}.svg)"
    rounds = max((len(each.rounds) for each in part.records), default=0)
    lines = [
        f"## {part.title}",
        part.about,
        "\n".join(skipped),
        table(part),
        plot if part.plot else "",
        f"`{part.command}`, {part.date}: {rounds} {'round' if rounds == 1 else 'rounds'} in "
        f"{part.seconds:.0f} s; load before: {part.machine.get('load before', 'unknown')}. "
        f"Raw figures: [raw/{part.name}.json](raw/{part.name}.json).",
    ]
    return "\n\n".join(filter(None, lines)) + "\n"


def table(part: Part) -> str:
    """A line for each measure, a column for each system."""
    systems = list(dict.fromkeys(each.system for each in part.records))
    told = any(not each.ours for each in part.records)
    head = ["", *systems, *(["ours against the best peer"] if told else [])]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, records in part.measures.items():
        by = {each.system: each for each in records}
        best = best_of(records)
        cells = [
            cell(by[each], bold=len(by) > 1 and by[each] is best) if each in by else "–"
            for each in systems
        ]
        result = compared(records)
        cells += [result.said if result else ""] if told else []
        unit = f" ({records[0].unit})" if records[0].unit else ""
        lines.append(f"| {name}{unit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def best_of(records: Sequence[Record]) -> Record:
    better = min if records[0].better == "less" else max
    return better(records, key=lambda each: each.median)


def cell(record: Record, *, bold: bool = False) -> str:
    said = f"**{number(record.median)}**" if bold else number(record.median)
    if len(record.rounds) == 1:
        return said
    return f"{said} ({number(min(record.rounds))}–{number(max(record.rounds))})"


def number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def faults(folder: Path) -> str:
    """The scores of the fault injection, whose page says more."""
    file = folder / "raw" / f"{FAULTS}.json"
    if not file.exists():
        return ""
    told = json.loads(file.read_text(encoding="utf-8"))
    rows = [
        f"| {each['title']} | was not run: {each['absent']} | |"
        if each["absent"]
        else f"| {each['title']} | {each['clean']} | {each['cells']} |"
        for each in sorted(told["systems"].values(), key=lambda each: -each["clean"])
    ]
    lines = [
        "## Fault injection",
        "Errors and `kill -9` at every stage, seen from outside by a reader that searches without "
        "pause. A cell is clean when nothing was lost, mixed, wrongly deleted or paid twice: "
        f"[{FAULTS}.md]({FAULTS}.md).",
        "\n".join(["| system | clean cells | of |", "|---|---|---|", *rows]),
    ]
    return "\n\n".join(lines) + "\n"
