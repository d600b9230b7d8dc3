"""How facts and rows look on a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmops.flows.commands import _grid
from llmops.tasks.texts.excerpts import excerpt

if TYPE_CHECKING:
    from rich.console import Console

Facts = Mapping[str, Any]
grid = _grid.grid

FOLDED = ("reason", "title", "why", "quote")  # sentences; ids, uris and times stay on one line
MOST_PLANNED = 10  # documents that a plan names
LONGEST_FACT = 80  # characters of one value of a document's metadata
SHORT = 12  # digits of an id that `explain` takes for the whole
DIFFERENCES = ("added", "changed", "renamed", "retired")
AMOUNTS = {"quarantine": "in quarantine"}
COUNTED = (
    "listed",
    "new",
    "changed",
    "renamed",
    "unchanged",
    "vanished",
    "retired",
    "quarantined",
    "duplicates",
)


def table(
    key: str, columns: Sequence[str] | None = None, *, empty: str = "Nothing to show."
) -> Callable[["Console", Facts], object]:
    """Draws the rows that data has under a key."""
    return lambda console, data: rows(console, data[key], columns, empty=empty)


def rows(
    console: "Console",
    shown_rows: Sequence[Facts],
    columns: Sequence[str] | None = None,
    *,
    empty: str = "Nothing to show.",
) -> None:
    """A table with a column per key."""
    if not shown_rows:
        console.print(empty, markup=False)
        return
    columns = columns or list(shown_rows[0])
    grid(
        console,
        [column.replace("_", " ") for column in columns],
        [[shown(row[column]) for column in columns] for row in shown_rows],
        folded=[number for number, column in enumerate(columns) if column in FOLDED],
    )


def warnings(console: "Console", data: Facts) -> None:
    """A line for each thing that somebody should know, where there is one."""
    for each in data["warnings"]:
        console.print(f"warning  {printable(each)}", markup=False)


def facts(console: "Console", found: Facts) -> None:
    """One line per fact; what is empty is left out."""
    width = max(len(key) for key in found)
    for key, value in found.items():
        if value not in (None, "", [], {}):
            lines = [shown(item) for item in value] if isinstance(value, list) else [shown(value)]
            for number, line in enumerate(lines):
                name = key.replace("_", " ") if number == 0 else ""
                _grid.told(console, f"{name:<{width}}  ", line)


def shown(value: object) -> str:
    """A value in few characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "-"
    if isinstance(value, Mapping):
        amounts = all(
            isinstance(item, int) and not isinstance(item, bool) for item in value.values()
        )
        return ", ".join(
            amount(item, key) if amounts else f"{key.replace('_', ' ')} {shown(item)}"
            for key, item in value.items()
        )
    text = printable(str(value))
    return (
        text[:19].replace("T", " ")
        if len(text) > 19 and text[4:5] == "-" and text[10:11] == "T"
        else text
    )


def age(seconds: float | None) -> str:
    """`12 s ago`, `5 min ago`, `3 days ago`."""
    if seconds is None:
        return "-"
    for length, name, until in ((1, "s", 90), (60, "min", 120), (3600, "h", 48)):
        if seconds / length < until:
            return f"{seconds / length:.0f} {name} ago"
    return f"{seconds / 86400:.0f} days ago"


def amount(number: int, name: str) -> str:
    """`1 version`, `13 documents`."""
    said = AMOUNTS.get(name, name).replace("_", " ")
    return f"{number:,} {said[:-1] if number == 1 and said.endswith('s') else said}"


def printable(text: str) -> str:
    """The text with control characters, which a file name may hold, written as escapes: they must
    not steer the terminal.
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode()
        for sign in text
    )


def difference(console: "Console", found: Facts) -> None:
    """The documents that two versions differ in."""
    start = "the beginning" if found["from"] is None else f"version {found['from']}"
    console.print(f"{found['knowledge_base']}: {start} to version {found['to']}")
    for kind, sign in (("added", "+"), ("changed", "~"), ("retired", "-")):
        for uri in found[kind]:
            _grid.told(console, f"  {sign} ", printable(uri))
    for each in found["renamed"]:
        _grid.told(console, "  > ", f"{printable(each['from'])} -> {printable(each['to'])}")
    counts = [f"{len(found[kind])} {kind}" for kind in DIFFERENCES if found[kind]]
    console.print(f"  {', '.join(counts)}" if counts else "  no document differs")
    if found.get("text"):
        console.print(found["text"], markup=False)


def hits(console: "Console", found: Facts) -> None:
    """Search results with their place in the document."""
    if not found["hits"]:
        console.print("Nothing found.")
    if said := found.get("rerank", {}).get("said"):
        console.print(printable(said), markup=False, style="yellow")
    for hit in found["hits"]:
        place = " > ".join(hit["headings"]) + (f", page {hit['page']}" if hit["page"] else "")
        about = f"({printable(hit['uri'])}{', ' + place if place else ''})"
        name = f"{hit['rank']}  {hit['score']:.3f}  "
        _grid.told(console, name, f"{printable(hit['title'])}  {about}", style="cyan")
        passage = excerpt(hit["text"], inside=hit.get("start", 0) > 0)
        _grid.told(console, "    ", printable(passage), whole=True)
        known = [hit["chunk_id"][:SHORT], hit["source"], *_facts_of(hit["metadata"])]
        _grid.told(console, "    ", printable("  ".join(known)), style="dim")
    for warning in found.get("warnings", ()):
        _grid.told(console, "warning  ", printable(warning))


def _facts_of(metadata: Facts) -> Iterator[str]:
    """What a person wants to know of a document, in few words: plain values, the short ones."""
    for name, value in metadata.items():
        if isinstance(value, str | int | float) and str(value).strip():
            text = " ".join(str(value).split())
            yield f"{name}: {text if len(text) <= LONGEST_FACT else f'{text[: LONGEST_FACT - 1]}…'}"


def outcome(console: "Console", found: Facts) -> None:
    """What a build came to, and where to look next."""

    def say(name: str, text: str) -> None:
        _grid.told(console, f"  {name:<11} ", text)

    console.print(headline(found), markup=False, style="bold")
    if found["reason"]:
        hint = f"\n  {found['hint']}" if found["hint"] else ""
        console.print(f"  {printable(found['reason'])}{hint}", markup=False)
    if documents := found["documents"]:
        counted = [name for name in COUNTED if documents.get(name) or name == "listed"]
        say("documents", ", ".join(f"{documents[name]:,} {name}" for name in counted))
        for name, text in _planned(found) if found["status"] == "planned" else _done(found):
            say(name, text)
    for each in found.get("quarantine", ()):
        why = f"{each['uri']}: {each['stage']}: {each['reason']}"
        say("quarantine", printable(f"{why} ({each['next_try']})" if each["next_try"] else why))
    if found.get("quarantine"):
        left = documents.get("quarantined", 0) - len(found["quarantine"])
        more = f"and {left:,} more: " if left > 0 and found["status"] != "planned" else ""
        say("", f"{more}llmops quarantine list --kb {found['knowledge_base']}")
    for name, values in found["gate"].get("metrics", {}).items():
        live = f" (live {values['live']:.3f})" if values.get("live") is not None else ""
        say("gate", f"{name} {values['candidate']:.3f}{live}: {found['gate']['verdict']}")
    for question in found["worst"][:3]:
        got = ", ".join(question["got"][:3]) or "nothing"
        say("worst", question["question"])
        say("", f"expected {', '.join(question['expected'])}; got {got}")
    for warning in found["warnings"]:
        say("warning", printable(warning))
    for name, link in found["links"].items():
        say(name, link)


def _planned(found: Facts) -> Iterator[tuple[str, str]]:
    cost = found["estimate"]
    tokens = f"{cost['least_tokens']:,} to {cost['tokens']:,}, likely {cost['likely_tokens']:,}"
    usd = f"${cost['least_cost_usd']:.4f} to ${cost['cost_usd']:.4f}"
    yield "to process", amount(cost["documents"], "documents")
    if cost["tokens"]:
        yield "tokens", f"{tokens}{f'; {usd}' if cost['cost_usd'] else ''}"
        yield "", f"{cost['sure']} {cost['basis']}"
    for row in found["plan"][:MOST_PLANNED]:
        yield row["what"], printable(row["uri"])
    if len(found["plan"]) > MOST_PLANNED:
        yield "", f"and {len(found['plan']) - MOST_PLANNED} more: --json names them"


def _done(found: Facts) -> Iterator[tuple[str, str]]:
    chunks, paid = found["chunks"], found["embeddings"]
    yield (
        "chunks",
        ", ".join(
            f"{chunks[name]:,} {name}" for name in ("added", "retired", "kept") if chunks[name]
        )
        + f"{'; ' if any(chunks[name] for name in ('added', 'retired', 'kept')) else ''}"
        + f"{chunks['total']:,} in all",
    )
    yield (
        "embeddings",
        f"{paid['computed']:,} computed, {paid['reused']:,} reused; {found['tokens']:,} tokens"
        f"{money(found['cost_usd'])}",
    )


def money(usd: float) -> str:
    """`, $0.0012`; nothing where it costs nothing."""
    return f", ${usd:,.4f}" if usd >= 0.00005 else ", less than $0.0001" if usd else ""


def headline(found: Facts) -> str:
    kb, version, before = found["knowledge_base"], found["version"], found["previous_version"]
    still = f"version {before} stays live" if before else "nothing is live yet"
    return {
        "published": f"{kb}: version {version} is live, built in {found['seconds']} s",
        "unchanged": f"{kb}: nothing to do, {still} ({found['seconds']} s)",
        "planned": f"{kb}: plan; {still}",
        "blocked": f"{kb}: blocked, {still}",
        "failed": f"{kb}: failed, {still}",
    }[found["status"]]


def outcomes(console: "Console", found: Facts) -> None:
    """Several builds, one after the other."""
    for build in found["builds"]:
        outcome(console, build)
    if not found["builds"]:
        console.print("Nothing to retry.")
