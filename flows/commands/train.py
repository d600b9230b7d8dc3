"""`llmops train`: from what was judged to a model that is served where its gate says so."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands._options import Changes, Config, home
from llmops.flows.commands._tables import grid, printable
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

app = typer.Typer()
GAINS = {
    "served": "in all",
    "weight": "weight",
    "adapter": "adapter",
    "seen": "documents seen",
    "whitening": "no labels (control)",
    "against_live": "beside the live one",
    "test": "test set",
    "test_seen": "test set, seen",
    "test_unseen": "test set, unseen",
}
EMBEDDER_GAINS = {
    "served": "documents not trained on",
    "vector": "the same, vectors alone",
    "seen": "documents trained on",
    "second": "second set",
    "test": "test set",
    "test_seen": "test set, trained on",
    "test_unseen": "test set, not trained on",
}
CODES = {"rejected": 3, "inconclusive": 5, "failed": 4, "stayed": 1}


@command(app, "train", long=True)
def train(
    config: Config,
    changes: Changes = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be learnt from; train nothing.")
    ] = False,
) -> Answer:
    """Train what the section `train:` of a config names; it goes live if its gate passes."""
    from llmops.configs.train import read_training
    from llmops.flows.running import run_flow

    outcome = run_flow(home(), read_training(config, changes or ()), plan=plan)
    return answer(outcome, draw, CODES.get(outcome["status"], 0))


def draw(console: "Console", outcome: "Mapping[str, Any]") -> None:
    """The verdict and why, what was learnt from, and a line per figure."""
    if "dataset" in outcome:
        draw_model(console, outcome)
        return
    console.print(printable(outcome["headline"]), markup=False, style="bold")
    labels = outcome["labels"]
    told = ", ".join(f"{count} from {name}" for name, count in labels["sources"].items())
    console.print(
        printable(f"  questions   {labels['usable']} of {labels['judged']} usable ({told})"),
        markup=False,
    )
    rows = [
        [
            name,
            f"{each['before']:.3f}",
            f"{each['after']:.3f}",
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(each["difference"], *each["interval"]),
            str(each["questions"]),
        ]
        for key, name in GAINS.items()
        if (each := outcome["figures"].get(key))
    ]
    if rows:
        grid(console, ["nDCG@10", "before", "after", "difference", "questions"], rows)
        figures = outcome["figures"]
        told = f"{figures['better']} better, {figures['worse']} worse, {figures['same']} the same"
        console.print(f"  questions   {told}", markup=False)
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)


def draw_embedder_gate(console: "Console", gate: "Mapping[str, Any]") -> None:
    """A line for each set of questions that an embedder was measured on."""
    rows = [
        [
            name,
            f"{each['before']:.3f}",
            f"{each['after']:.3f}",
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(each["difference"], *each["interval"]),
            str(each["questions"]),
        ]
        for key, name in EMBEDDER_GAINS.items()
        if (each := gate[key])
    ]
    grid(console, ["nDCG@10", "before", "after", "difference", "questions"], rows)


def draw_model(console: "Console", outcome: "Mapping[str, Any]") -> None:
    """Where the model is, what it was trained on, what it cost, and what comes next."""
    console.print(printable(outcome["headline"]), markup=False, style="bold")
    dataset, estimate = outcome["dataset"], outcome["estimate_usd"]
    rows = ", ".join(f"{count:,} {split}" for split, count in dataset["rows"].items())
    before = "price not known" if estimate is None else f"estimated ${estimate:.4f}"
    lines = {
        "data set": f"{dataset['name']} v{dataset['version']} ({dataset['format']}): {rows} rows",
        "cost": f"{before}, paid ${outcome['cost_usd']:.4f}",
        "model": outcome["model"],
        "registered": outcome["registered"],
        "folder": outcome["folder"],
        "evaluation": outcome["evaluation"],
    }
    for name, text in lines.items():
        if text:
            console.print(f"  {name:<11} {printable(text)}", markup=False)
    if sweep := outcome["sweep"]:
        draw_sweep(console, sweep)
    if gate := outcome["gate"]:
        draw_gate(console, gate)
    if measured := outcome["embedder_gate"]:
        draw_embedder_gate(console, measured)
    for warning in outcome["warnings"]:
        console.print(f"  warning     {printable(warning)}", markup=False)
    for name, link in outcome["links"].items():
        console.print(f"  {name:<11} {link}", markup=False)


def draw_sweep(console: "Console", sweep: "Mapping[str, Any]") -> None:
    """A line per training."""
    names = list(dict.fromkeys(name for row in sweep["points"] for name in row["options"]))
    rows = [
        [
            "chosen" if row["chosen"] else "",
            *(str(row["options"].get(name, "")) for name in names),
            "" if row["seed"] is None else str(row["seed"]),
            f"{row['value']:g}",
            f"${row['cost_usd']:.4f}",
        ]
        for row in sweep["points"]
    ]
    cells = [[printable(cell) for cell in row] for row in rows]
    grid(console, ["", *names, "seed", sweep["metric"], "paid"], cells)


def draw_gate(console: "Console", gate: "Mapping[str, Any]") -> None:
    """Both models in the metric that decides, and how many cases got better or worse."""
    values = gate["values"]
    row = [
        *(f"{values[arm]:.3f}" if arm in values else "–" for arm in ("live", "candidate")),
        "–" if gate["difference"] is None else f"{gate['difference']:+.3f}",
        "" if gate["interval"] is None else "[{:+.3f}, {:+.3f}]".format(*gate["interval"]),
        str(gate["cases"]),
    ]
    grid(
        console, [f"{gate['metric']}: before", "trained", "difference", "interval", "cases"], [row]
    )
    told = f"{gate['better']} better, {gate['worse']} worse, {gate['same']} the same"
    console.print(f"  cases       {told}", markup=False)
    for name in ("hint", "record"):
        if gate[name]:
            console.print(f"  {name:<11} {printable(gate[name])}", markup=False)
