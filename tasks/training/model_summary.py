"""The training of a model told to somebody who does not program, as Markdown."""

import html
import json
from collections.abc import Sequence

from llmops.tasks.training.embedder_gate import EmbedderGate
from llmops.tasks.training.model_outcome import ModelGate, ModelOutcome
from llmops.tasks.training.sweep import SweepTable

ARMS = ("live", "candidate")
MOST_NAMED = 20
VERDICTS = {
    "promoted": "It is live from now on, wherever a config names the live version",
    "rejected": "It is not live: what was live stays so",
    "inconclusive": "It is not live: the cases do not tell whether it is better",
    "failed": "It is not live: too many answers failed for a decision",
    "stayed": "It should be live, and is not: the alias has not moved",
}
SEARCH = (
    "nDCG@10 says how far up the right documents stand among the first ten: 1 is perfect. The "
    "numbers in brackets are the range in which the true difference lies with 95 % confidence."
)
ABOUT = (
    "Both answered the same cases, which the model has not been trained on. The numbers in "
    "brackets are the range in which the true difference very likely lies."
)

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
    if outcome.sweep:
        parts += _tried(outcome.sweep)
    if outcome.gate:
        parts += _decided(outcome, outcome.gate)
    elif outcome.embedder_gate:
        parts += ["## What it gained", SEARCH, gate_table(outcome.embedder_gate)]
        parts += _losses(outcome.embedder_gate)
    elif outcome.evaluation:
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


def _tried(sweep: SweepTable) -> list[str]:
    """The table of a sweep."""
    more = "more" if sweep.higher_is_better else "less"
    said = (
        f"Each line is a model. They were compared by `{_text(sweep.metric)}` on the validation "
        f"split, where {more} is better; neither the test split nor the cases of the gate had a "
        "say. The one in bold was chosen."
    )
    names = list(dict.fromkeys(name for row in sweep.points for name in row.options))
    head = [*names, "seed", sweep.metric, "paid", "model"]
    lines = [_row(head), _row(["---"] * len(head))]
    for row in sweep.points:
        seed = "" if row.seed is None else str(row.seed)
        cells = [*(str(row.options.get(name, "")) for name in names), seed, f"{row.value:g}"]
        cells += [f"${row.cost_usd:.4f}", row.model or ""]
        marked = [f"**{_text(cell)}**" if row.chosen and cell else _text(cell) for cell in cells]
        lines.append(_row(marked))
    return ["## What was tried", said, "\n".join(lines)]


def _decided(outcome: ModelOutcome, gate: ModelGate) -> list[str]:
    """What the gate said, what was gained, and where it got worse."""
    values = [f"{gate.values[arm]:.3f}" if arm in gate.values else "–" for arm in ARMS]
    interval = "" if gate.interval is None else "[{:+.3f}, {:+.3f}]".format(*gate.interval)
    change = "–" if gate.difference is None else f"{gate.difference:+.3f} {interval}"
    table = [
        _row([_text(gate.metric), "live before", "trained", "difference", "cases"]),
        _row(["---"] * 5),
        _row(["in all", *values, change, str(gate.cases)]),
    ]
    more = "More" if gate.higher_is_better else "Less"
    compared = (
        f"{more} of `{_text(gate.metric)}` is better. Compared with `{gate.live}`, which was live "
        "or which it was made from."
    )
    parts = [
        "## Is it better?",
        f"**{VERDICTS[outcome.status]}.** {_text(gate.reason)}",
        *([f"What now: {_text(gate.hint)}"] if gate.hint else []),
        f"{compared} {ABOUT}",
        "\n".join(table),
        "## What got worse",
        f"{gate.better} cases are answered better, {gate.worse} worse, {gate.same} as before.",
    ]
    if outcome.status == "stayed":
        parts.insert(2, _text(outcome.reason))
    if tags := [f"- {_text(tag)}: {change:+.3f}" for tag, change in gate.tags.items()]:
        parts += ["Kinds of cases that got worse on average:", "\n".join(tags)]
    if lost := [
        f"- {_text(each.case)}: {each.live} → {each.candidate} ({each.difference})"
        for each in gate.lost
    ]:
        parts += ["Those that lost most:", "\n".join(lost)]
    if gate.excluded:
        some = _text(", ".join(gate.excluded[:MOST_NAMED]))
        parts.append(f"Cases without a say ({len(gate.excluded)}), as it has seen them: {some}.")
    where = f" ({gate.record})" if gate.record else ""
    parts.append(f"The decision is `{gate.decision}`{where}; answering cost ${gate.cost_usd:.4f}.")
    if outcome.status == "promoted":
        back = f"`llmops models rollback {outcome.name}`"
        parts += ["## The way back", f"{back} makes the model before this one live again, at once."]
    return parts


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cost(outcome: ModelOutcome) -> str:
    estimate = outcome.estimate_usd
    before = "nobody knows the price" if estimate is None else f"estimated before: ${estimate:.4f}"
    tokens = f" for {outcome.estimate_tokens:,} tokens" if outcome.estimate_tokens else ""
    return f"- {before}{tokens}\n- paid in this run: ${outcome.cost_usd:.4f}"


def _text(value: str) -> str:
    return html.escape(value, quote=False).replace("|", "\\|").replace("\n", " ")
