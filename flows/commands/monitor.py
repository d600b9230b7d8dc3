"""`llmops monitor`: what an application was asked, what has changed, and what has to be done."""

from typing import TYPE_CHECKING

import typer

from llmops.flows.commands._options import Changes, Config, home
from llmops.flows.commands._tables import Facts, grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()


@command(app, "monitor", long=True)
def monitor(config: Config, changes: Changes = None) -> Answer:
    """Report on the last days of an application: figures, drift of questions and answers, what its
    documents do not answer. Writes an HTML report, and curves in MLflow.
    """
    from llmops.configs import read
    from llmops.configs.monitor import MonitorConfig
    from llmops.flows.running import run_flow

    return answer(run_flow(home(), read(config, MonitorConfig, changes or ())), draw)


def draw(console: "Console", outcome: Facts) -> None:
    """The headline, a line per figure, what has drifted, and where the report is."""
    console.print(printable(outcome["headline"]), markup=False, style="bold")
    rows = [
        [printable(kpi["label"]), *map(amount, (kpi, kpi, kpi), ("value", "interval", "before"))]
        for kpi in outcome["kpis"]
    ]
    if rows:
        days = f"{outcome['days']:g} days"
        grid(console, ["", days, "95 % interval", "before"], rows)
    for drift in outcome["drifts"]:
        told = f"{drift['status']} ({drift['reason']})" if drift["reason"] else drift["status"]
        console.print(f"  {drift['what']:<11} {printable(told)}", markup=False)
    for topic in outcome["new_topics"]:
        told = f"{', '.join(topic['words'])}: {topic['questions']} questions"
        console.print(f"  new topic   {printable(told)}", markup=False)
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    if outcome["report"]:
        console.print(f"  report      {printable(outcome['report'])}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)


def amount(kpi: Facts, key: str) -> str:
    """A value, or both ends of an interval, with few digits."""
    value = kpi[key]
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(amount({**kpi, key: end}, key) for end in value)
    if kpi["unit"] == "share":
        return f"{100 * value:.1f} %"
    if kpi["unit"] == "ms":
        return f"{value:,.0f} ms"
    if kpi["unit"] == "hours":
        return f"{value:,.1f} h"
    large = abs(value) >= 1_000 or float(value).is_integer()
    digits = f"{value:,.0f}" if large else f"{value:.4g}"
    return f"{digits} {kpi['unit']}".strip()
