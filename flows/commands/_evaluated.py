"""How a decision looks on a terminal: the verdict first, then what it rests on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmops.flows.commands._measured import interval
from llmops.flows.commands._tables import grid, printable

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.decisions.decision import Decision, Figures, Measure

STYLES = {"promote": "bold green", "reject": "bold red", "inconclusive": "bold yellow"}
Found = Mapping[str, Any]


def decision(console: "Console", record: "Decision") -> None:
    """Verdict and reason, a line per arm, a line per effect, and where to look next."""
    console.print(f"{record.name}: {record.verdict}", style=STYLES[record.verdict], markup=False)
    for line in filter(None, (record.reason, record.hint)):
        console.print(f"  {printable(line)}", markup=False)
    _arms(console, record)
    _effects(console, record)
    _ends(console, record)


def _arms(console: "Console", record: "Decision") -> None:
    metrics = [name for name in next(iter(record.arms.values())).metrics if "." not in name]
    cells = [
        [
            printable(name),
            str(arm.answered),
            str(arm.errored),
            *[_value(arm.metrics.get(metric)) for metric in metrics],
            f"{arm.cost_usd:.4f}",
            f"{arm.calls} + {arm.cached}",
        ]
        for name, arm in record.arms.items()
    ]
    console.print()
    grid(console, ["arm", "answered", "errored", *metrics, "USD", "calls + remembered"], cells)


def _value(measure: "Measure | None") -> str:
    return "-" if measure is None else interval(measure.content())


def _effects(console: "Console", record: "Decision") -> None:
    rows = [
        [
            printable(name),
            metric,
            _effect(figures),
            "-" if figures.p_value is None else f"{figures.p_value:.3g}",
            str(figures.n),
        ]
        for name, compared in record.comparisons.items()
        for metric, figures in compared.metrics.items()
    ]
    if rows:
        console.print(
            f"\nDifferences to {printable(record.baseline)} [{100 * (1 - record.rule.alpha):g} %]",
            markup=False,
        )
        grid(console, ["arm", "metric", "difference", "p", "cases"], rows)


def _effect(figures: "Figures") -> str:
    if figures.unmoved:
        return "the same on all"
    if figures.difference is None:
        return "-"
    ends = figures.interval
    within = f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if ends else ""
    return f"{figures.difference:+.3f}{within}"


def _ends(console: "Console", record: "Decision") -> None:
    console.print()
    for warning in (*record.warnings, *record.remarks):
        console.print(f"  warning     {printable(warning)}", markup=False)
    if record.promoted and record.promote:
        alias = f"{record.promote.prompt}@{record.promote.alias}"
        became = "is" if record.promoted.moved else "already was"
        said = f"  promoted    {alias} {became} version {record.promoted.version}"
        console.print(said, markup=False)
    for name, target in {"record": record.record, **record.links}.items():
        console.print(f"  {name:<11} {target}", markup=False, soft_wrap=True)


def forecast(console: "Console", found: Found) -> None:
    """What `--plan` says: calls and their cost per arm and judge, nothing asked yet."""
    rows = [
        [
            printable(row["name"]),
            str(row["calls"]),
            str(row["remembered"]),
            *(
                "unknown" if value is None else f"{value:{form}}"
                for value, form in ((row["tokens_in"], ","), (row["cost_usd"], ".4f"))
            ),
        ]
        for row in found["calls"]
    ]
    console.print(
        f"{found['name']}: {found['cases']} cases, {len(found['arms'])} arms. Nothing has "
        f"been asked.",
        markup=False,
    )
    grid(console, ["of", "calls at most", "remembered", "tokens in, about", "USD at most"], rows)


def calibration(console: "Console", found: Found) -> None:
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
