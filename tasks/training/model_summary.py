"""The training of a model told to somebody who does not program, as Markdown."""

import html
import json

from llmops.tasks.training.embedder_gate import EmbedderGate
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.summary import ABOUT

GATE = (
    "Training says nothing about whether the model is better. `llmops evaluate` does, with both as "
    "arms on cases that neither has seen: fill in cases and prompt in `evaluate.yaml`. Its exit "
    "code is the gate; name the model in your application's config once it passes."
)


def model_markdown(outcome: ModelOutcome) -> str:
    """What it was trained on, what it cost, where it is, and what decides whether it is served."""
    dataset = outcome.dataset
    rows = ", ".join(f"{count:,} {split}" for split, count in dataset.rows.items())
    parts = [
        f"# {_text(outcome.name)}: {outcome.status}",
        f"**{_text(outcome.reason)}**",
        "## What it was trained on",
        f"- {_text(dataset.name)} v{dataset.version}, as {dataset.format}: {rows} rows\n"
        f"- version of the data set: `{dataset.sha256[:12]}`",
        "## What it cost",
        _cost(outcome),
    ]
    if outcome.figures:
        lines = [f"| {_text(name)} | {value:g} |" for name, value in outcome.figures.items()]
        parts += ["## Last figures", "| figure | value |\n|---|---|\n" + "\n".join(lines)]
    if named := outcome.llm or outcome.embed:
        key, shown = "llm" if outcome.llm else "embed", json.dumps(named, ensure_ascii=False)
        parts += ["## How configs name it", f"```yaml\n{key}: {shown}\n```"]
        if outcome.registered:
            parts.append(f"In the registry of trained models it is `{outcome.registered}`.")
    if outcome.gate:
        parts += ["## What it gained", ABOUT, gate_table(outcome.gate), *_losses(outcome.gate)]
    if outcome.evaluation:
        parts += ["## Is it better?", GATE]
    return "\n\n".join(parts) + "\n"


def gate_table(gate: EmbedderGate) -> str:
    """A line for each set of questions."""
    named = {
        "documents not trained on: decides": gate.served,
        "the same by vectors alone": gate.vector,
        "documents trained on": gate.seen,
        f"second set ({gate.second_knowledge_base}): may not lose": gate.second,
        "test set": gate.test,
        "test set, documents trained on": gate.test_seen,
        "test set, documents not trained on": gate.test_unseen,
    }
    lines = [
        f"| {name} | {each.questions} | {each.before:.3f} | {each.after:.3f} | "
        f"{each.difference:+.3f} [{each.interval[0]:+.3f}, {each.interval[1]:+.3f}] |"
        for name, each in named.items()
        if each is not None
    ]
    head = ["| nDCG@10 | questions | before | after | difference |", "|---|---|---|---|---|"]
    return "\n".join([*head, *lines])


def _losses(gate: EmbedderGate) -> list[str]:
    told = f"{gate.better} questions found better, {gate.worse} worse, {gate.same} the same."
    if not gate.lost:
        return [told]
    lines = [f"- {_text(each['question'])} (-{each['lost']:.2f})" for each in gate.lost]
    return ["## What got worse", told, "\n".join(lines)]


def _cost(outcome: ModelOutcome) -> str:
    estimate = outcome.estimate_usd
    before = "nobody knows the price" if estimate is None else f"estimated before: ${estimate:.4f}"
    tokens = f" for {outcome.estimate_tokens:,} tokens" if outcome.estimate_tokens else ""
    return f"- {before}{tokens}\n- paid in this run: ${outcome.cost_usd:.4f}"


def _text(value: str) -> str:
    return html.escape(value, quote=False).replace("|", "\\|").replace("\n", " ")
