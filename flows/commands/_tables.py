"""How facts and rows look on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any


def rows(
    console: Any, found: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None, *, empty: str = "Nothing to show."
) -> None:
    """A table with a column per key."""
    from rich.table import Table
    from rich.text import Text

    if not found:
        console.print(empty)
        return
    columns = columns or list(found[0])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "id")
    for row in found:
        table.add_row(*[Text(shown(row[column])) for column in columns])  # text: brackets in a name are no markup
    console.print(table)


def facts(console: Any, found: Mapping[str, Any]) -> None:
    """One line per fact; what is empty is left out."""
    width = max(len(key) for key in found)
    for key, value in found.items():
        if value not in (None, "", [], {}):
            lines = [shown(item) for item in value] if isinstance(value, list) else [shown(value)]
            for number, line in enumerate(lines):
                console.print(f"{(key if number == 0 else ''):<{width}}  {line}".replace("_", " ", 1), markup=False)


def shown(value: Any) -> str:
    """A value in few characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items())
    text = printable(str(value))
    return text[:19].replace("T", " ") if len(text) > 19 and text[4:5] == "-" and text[10:11] == "T" else text


def printable(text: str) -> str:
    """The text with control characters, which a file name may hold, written as escapes: they must not steer the terminal."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode() for sign in text)


def difference(console: Any, found: Mapping[str, Any]) -> None:
    """The documents that two versions differ in."""
    start = "the beginning" if found["from"] is None else f"version {found['from']}"
    console.print(f"{found['knowledge_base']}: {start} to version {found['to']}")
    for kind, sign in (("added", "+"), ("changed", "~"), ("retired", "-")):
        for uri in found[kind]:
            console.print(f"  {sign} {printable(uri)}", markup=False)
    if not any(found[kind] for kind in ("added", "changed", "retired")):
        console.print("  no document differs")
    if found.get("text"):
        console.print(found["text"], markup=False)


def measurement(console: Any, found: Mapping[str, Any]) -> None:
    """A line per mode with value and interval of each metric, then the worst questions."""
    from rich.table import Table

    metrics = list(next(iter(found["modes"].values())))
    table = Table("mode", *metrics, box=None, pad_edge=False, header_style="bold")
    for mode, values in found["modes"].items():
        table.add_row(mode, *[interval(values[name]) for name in metrics])
    console.print(f"{found['knowledge_base']}, version {found['version']}, {found['questions']} questions")
    console.print(table)
    if found["worst"]:
        console.print("\nWorst questions")
        for one in found["worst"]:
            console.print(
                f"  {one['question']}\n    expected {', '.join(one['expected'])}; got {', '.join(one['got'][:3]) or 'nothing'}",
                markup=False,
            )


def comparison(console: Any, found: Mapping[str, Any]) -> None:
    """A line per arm; the difference to the first one is shown where its interval excludes 0."""
    from rich.table import Table

    shown_metrics = [name for name in found["arms"][0]["metrics"] if not name.startswith("precision")]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "chunks", *shown_metrics):
        table.add_column(name, no_wrap=True)
    for row in found["arms"]:
        cells = [_around(row["metrics"][name]) + _gain((row["difference"] or {}).get(name)) for name in shown_metrics]
        table.add_row(row["name"], f"{row['chunks']:,}", *cells)
    console.print(f"{found['questions']} questions of {found['golden']}, {found['mode']} search", markup=False)
    console.print(table)
    console.print(f"* differs from {found['arms'][0]['name']}. Highest ndcg: {found['best']}", markup=False)
    console.print(f"  mlflow      {found['links']['mlflow']}", markup=False)


def _around(value: Mapping[str, Any]) -> str:
    low, high = value["interval"]
    return f"{value['value']:.3f} ±{(high - low) / 2:.3f}"


def _gain(difference: Mapping[str, Any] | None) -> str:
    if difference is None or difference["interval"][0] <= 0 <= difference["interval"][1]:
        return ""
    return f" {difference['value']:+.3f}*"


def interval(value: Mapping[str, Any]) -> str:
    low, high = value["interval"] or (None, None)
    return f"{value['value']:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def hits(console: Any, found: Mapping[str, Any]) -> None:
    """Search results with their place in the document."""
    if not found["hits"]:
        console.print("Nothing found.")
    for hit in found["hits"]:
        place = " > ".join(hit["headings"]) + (f", page {hit['page']}" if hit["page"] else "")
        console.print(f"[bold]{hit['rank']}[/bold]  {hit['score']:.3f}  ", end="")
        console.print(f"{printable(hit['title'])}  ({printable(hit['uri'])}{', ' + place if place else ''})", markup=False, style="cyan")
        console.print("    " + printable(" ".join(hit["text"].split())[:300]), markup=False)


def outcome(console: Any, found: Mapping[str, Any]) -> None:
    """What a build came to, and where to look next."""
    console.print(headline(found), markup=False, style="bold")
    if found["reason"]:
        console.print(f"  {printable(found['reason'])}" + (f"\n  {found['hint']}" if found["hint"] else ""), markup=False)
    if found["documents"]:
        _documents(console, found["documents"])
        (_estimate if found["status"] == "planned" else _work)(console, found)
    _gate(console, found)
    for warning in found["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in found["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)


def _documents(console: Any, counts: Mapping[str, int]) -> None:
    names = ("listed", "new", "changed", "renamed", "unchanged", "vanished", "retired", "quarantined", "duplicates")
    told = ", ".join(f"{counts[name]} {name}" for name in names if counts.get(name) or name == "listed")
    console.print(f"  documents   {told}", markup=False)


def _work(console: Any, found: Mapping[str, Any]) -> None:
    chunks, paid = found["chunks"], found["embeddings"]
    console.print(f"  chunks      {chunks['added']} added, {chunks['retired']} retired, {chunks['kept']} kept, {chunks['total']} in all")
    cost = f"{found['tokens']} tokens, ${found['cost_usd']:.4f}"
    console.print(f"  embeddings  {paid['computed']} computed, {paid['reused']} reused; {cost}")


def _gate(console: Any, found: Mapping[str, Any]) -> None:
    for name, values in found["gate"].get("metrics", {}).items():
        live = f" (live {values['live']:.3f})" if values.get("live") is not None else ""
        console.print(f"  gate        {name} {values['candidate']:.3f}{live}: {found['gate']['verdict']}")
    for one in found["worst"][:3]:
        got = ", ".join(one["got"][:3]) or "nothing"
        console.print(f"  worst       {one['question']}", markup=False)
        console.print(f"              expected {', '.join(one['expected'])}; got {got}", markup=False)


def _estimate(console: Any, found: Mapping[str, Any]) -> None:
    cost = found["estimate"]
    told = f"{cost['documents']} documents, at most about {cost['tokens']} tokens, ${cost['cost_usd']:.4f}"
    console.print(f"  to process  {told}", markup=False)


def headline(found: Mapping[str, Any]) -> str:
    kb, version, before = found["knowledge_base"], found["version"], found["previous_version"]
    still = f"version {before} stays live" if before else "nothing is live yet"
    return {
        "published": f"{kb}: version {version} is live, built in {found['seconds']} s",
        "unchanged": f"{kb}: nothing to do, {still} ({found['seconds']} s)",
        "planned": f"{kb}: plan; {still}",
        "blocked": f"{kb}: blocked, {still}",
        "failed": f"{kb}: failed, {still}",
    }[found["status"]]


def outcomes(console: Any, answers: Sequence[Any]) -> None:
    """Several builds, one after the other."""
    for answer in answers:
        outcome(console, answer.data)
