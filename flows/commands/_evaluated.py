"""How a decision looks on a terminal: the verdict first, then what it rests on."""

from collections.abc import Mapping
from typing import Any

from llmops.flows.commands._measured import interval
from llmops.flows.commands._tables import grid, printable

STYLES = {"promote": "bold green", "reject": "bold red", "inconclusive": "bold yellow"}
Found = Mapping[str, Any]


def decision(console: Any, record: Found) -> None:
    """Verdict and reason, a line per arm, a line per effect, and where to look next."""
    console.print(
        f"{record['name']}: {record['verdict']}", style=STYLES[record["verdict"]], markup=False
    )
    for line in filter(None, (record["reason"], record.get("hint"))):
        console.print(f"  {printable(line)}", markup=False)
    _arms(console, record)
    _effects(console, record)
    _ends(console, record)


def _arms(console: Any, record: Found) -> None:
    metrics = [name for name in next(iter(record["arms"].values()))["metrics"] if "." not in name]
    cells = [
        [
            printable(name),
            str(arm["answered"]),
            str(arm["errored"]),
            *[_value(arm["metrics"].get(one)) for one in metrics],
            f"{arm['cost_usd']:.4f}",
            f"{arm['calls']} + {arm['cached']}",
        ]
        for name, arm in record["arms"].items()
    ]
    console.print()
    grid(console, ["arm", "answered", "errored", *metrics, "USD", "calls + remembered"], cells)


def _value(metric: Found | None) -> str:
    return "-" if metric is None or metric["value"] is None else interval(metric)


def _effects(console: Any, record: Found) -> None:
    rows = [
        [
            printable(name),
            metric,
            _effect(one),
            f"{one['p_value']:.3g}" if one.get("p_value") is not None else "-",
            str(one["n"]),
        ]
        for name, compared in record["comparisons"].items()
        for metric, one in compared["metrics"].items()
    ]
    if rows:
        console.print(
            f"\nDifferences to {printable(record['baseline'])} "
            f"[{100 * (1 - record['rule']['alpha']):g} %]",
            markup=False,
        )
        grid(console, ["arm", "metric", "difference", "p", "cases"], rows)


def _effect(one: Found) -> str:
    from llmops.tasks.decisions.verdict_words import unmoved

    if unmoved(one):
        return "the same on all"
    if one["difference"] is None:
        return "-"
    within = f" [{one['interval'][0]:+.3f}, {one['interval'][1]:+.3f}]" if one["interval"] else ""
    return f"{one['difference']:+.3f}{within}"


def _ends(console: Any, record: Found) -> None:
    console.print()
    for warning in (*record["warnings"], *record.get("remarks", ())):
        console.print(f"  warning     {printable(warning)}", markup=False)
    moved = record.get("promoted")
    if moved:
        alias = f"{record['promote']['prompt']}@{record['promote']['alias']}"
        console.print(
            f"  promoted    {alias} {'is' if moved['moved'] else 'already was'} version "
            f"{moved['version']}",
            markup=False,
        )
    for name, target in {"record": record["record"], **record["links"]}.items():
        console.print(f"  {name:<11} {target}", markup=False, soft_wrap=True)


def forecast(console: Any, found: Found) -> None:
    """What `--plan` says: calls and their cost per arm and judge, nothing asked yet."""
    rows = [
        [
            printable(row["name"]),
            str(row["calls"]),
            str(row["remembered"]),
            _count(row["tokens_in"]),
            _dollars(row["cost_usd"]),
        ]
        for row in found["calls"]
    ]
    console.print(
        f"{found['name']}: {found['cases']} cases, {len(found['arms'])} arms. Nothing has "
        f"been asked.",
        markup=False,
    )
    grid(console, ["of", "calls at most", "remembered", "tokens in, about", "USD at most"], rows)


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def calibration(console: Any, found: Found) -> None:
    """A line per judge: how far it agrees with people, and whether it may decide."""
    rows = [
        [
            printable(name),
            str(one["n"]),
            _floor(one["agreement"], "-"),
            _estimate(one),
            _floor(one["floor"]),
            "yes" if one["trusted"] else "no",
        ]
        for name, one in found["judges"].items()
    ]
    grid(
        console,
        ["judge", "labels", "agreement", "kappa or alpha [95 %]", "floor", "may decide"],
        rows,
    )
    for name, one in found["judges"].items():
        if one["reason"]:
            console.print(f"  {printable(name)}: {printable(one['reason'])}", markup=False)
        if (people := one.get("people")) and people.get("alpha") is not None:
            console.print(
                f"  {printable(name)}: people among themselves agree with alpha "
                f"{people['alpha']:.2f}",
                markup=False,
            )


def _estimate(one: Found) -> str:
    value = one["kappa"] if one.get("kappa") is not None else one.get("alpha")
    return (
        "undefined"
        if value is None
        else f"{value:.2f} [{one['interval'][0]:.2f}, {one['interval'][1]:.2f}]"
    )


def _floor(value: float | None, none: str = "none set") -> str:
    return none if value is None else f"{value:.2f}"
