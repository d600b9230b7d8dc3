"""How a decision looks on a terminal: the verdict first, then what it rests on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmops.flows.commands._grid import grid
from llmops.flows.commands._tables import amount, printable

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.decisions.decision import Decision

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
    """A line per figure, an arm beside the other; what is zero for all is left out."""
    from llmops.tasks.decisions.summary import measure, unit_of
    from llmops.tasks.decisions.words import number

    arms = list(record.arms.values())
    metrics = [name for name in arms[0].metrics if "." not in name]
    lines = [
        ("answered", [f"{arm.answered:,} of {arm.attempted:,}" for arm in arms]),
        ("errors", [_unless(arm.errored, f"{arm.errored:,}") for arm in arms]),
        *(
            (name, [measure(arm.metrics.get(name), unit_of(record, name)) for arm in arms])
            for name in metrics
            if name != "cost"
        ),
        ("cost", [_unless(arm.cost_usd, f"${number(arm.cost_usd)}") for arm in arms]),
        ("calls", [_unless(arm.calls, f"{arm.calls:,}") for arm in arms]),
        ("remembered", [_unless(arm.cached, f"{arm.cached:,}") for arm in arms]),
    ]
    cells = [[name, *(each or "-" for each in values)] for name, values in lines if any(values)]
    console.print()
    grid(console, ["", *map(printable, record.arms)], cells)


def _unless(value: float, text: str) -> str:
    """The text, unless there is nothing to tell."""
    return text if value else ""


def _effects(console: "Console", record: "Decision") -> None:
    from llmops.tasks.decisions.summary import EFFECTS, effect_rows

    if rows := [[*map(printable, row)] for row in effect_rows(record)]:
        console.print(
            f"\nDifferences to {printable(record.baseline)} [{100 * (1 - record.rule.alpha):g} %]",
            markup=False,
        )
        if len(record.comparisons) == 1:  # whose they are, the title says
            grid(console, EFFECTS[1:], [row[1:] for row in rows], folded=[4])
        else:
            grid(console, EFFECTS, rows, folded=[5])


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
    size = f"{amount(found['cases'], 'cases')}, {amount(len(found['arms']), 'arms')}"
    console.print(f"{found['name']}: {size}. Nothing has been asked.", markup=False)
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
