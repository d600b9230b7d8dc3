"""A training told to somebody who does not program, as Markdown."""

import html

from llmops.tasks.training.outcome import Gain, TrainOutcome

VERDICTS = {
    "promoted": "It is live: searches rank by it from now on",
    "rejected": "It is not live: searches rank as they did before",
    "inconclusive": "It is not live: searches rank as they did before",
    "planned": "Nothing was trained",
}
ABOUT = (
    "nDCG@10 says how far up the right documents stand among the first ten: 1 is perfect. The "
    "numbers in brackets are the range in which the true difference lies with 95 % confidence; "
    "only where all of it is above 0 something is made live."
)


def training_markdown(outcome: TrainOutcome) -> str:
    """What it was trained on, what it gained, on what it got worse, and why it is live or not."""
    parts = [
        f"# Ranking of {_text(outcome.knowledge_base)}: {outcome.status}",
        f"**{VERDICTS[outcome.status]}.** {_text(outcome.reason).capitalize()}.",
        "## What it was trained on",
        "\n".join(f"- {line}" for line in _trained_on(outcome)),
    ]
    if gains := _gains(outcome):
        parts += ["## What it gained", ABOUT, _table(gains)]
    parts += _losses(outcome)
    if outcome.status == "promoted":
        back = f"`llmops kb ranking {outcome.knowledge_base} --rollback`"
        parts += [
            "## The way back",
            f"{back} makes the ranking before this one live again, at once.",
        ]
    return "\n\n".join(parts) + "\n"


def _trained_on(outcome: TrainOutcome) -> list[str]:
    labels = outcome.labels
    said = [
        f"{count} questions from {_text(name)}"
        for name, count in labels.sources.items()
        if name != "clicks"
    ]
    said.append(f"{labels.usable} of {labels.judged} questions could be learnt from")
    if labels.clicks:
        said.append(
            f"{labels.clicks} more that nobody judged, from sources that people opened: they train "
            "the adapter, and neither choose the weight nor decide whether it is live"
        )
    if labels.without_passage:
        said.append(f"{labels.without_passage} name no passage that the knowledge base has")
    if labels.other_language:
        said.append(
            f"{labels.other_language} are in a language that the embedder does not know: there "
            "full text decides alone, and nothing is to be learnt"
        )
    learnt = []
    if "weight" in outcome.learnt:
        learnt.append(f"the share of the vectors, {outcome.learnt['weight']:g}")
    if outcome.learnt.get("adapter"):
        learnt.append("an adapter of the questions' vectors")
    said += [f"learnt: {' and '.join(learnt)}"] * bool(learnt)
    return [*said, f"version of the data set: `{outcome.dataset_sha256[:12]}`"]


def _gains(outcome: TrainOutcome) -> list[tuple[str, Gain]]:
    figures = outcome.figures
    rows = (
        ("in all, on documents not trained on", figures.served),
        ("the weight alone", figures.weight),
        ("the adapter, on top", figures.adapter),
        ("on documents that were trained on", figures.seen),
        ("beside the ranking that was live", figures.against_live),
        ("control: without any judgement", figures.whitening),
        ("test set", figures.test),
        ("test set, documents trained on", figures.test_seen),
        ("test set, documents not trained on", figures.test_unseen),
    )
    return [(name, each) for name, each in rows if each is not None]


def _table(rows: list[tuple[str, Gain]]) -> str:
    lines = ["| nDCG@10 | before | after | difference | questions |", "|---|---|---|---|---|"]
    for name, each in rows:
        low, high = each.interval
        change = f"{each.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        lines.append(
            f"| {name} | {each.before:.3f} | {each.after:.3f} | {change} | {each.questions} |"
        )
    return "\n".join(lines)


def _losses(outcome: TrainOutcome) -> list[str]:
    figures = outcome.figures
    if not figures.better + figures.worse + figures.same:
        return []
    counts = (
        f"{figures.better} questions got better, {figures.worse} worse, {figures.same} as before."
    )
    parts = ["## What got worse", counts]
    tags = [f"- {_text(tag)}: {change:+.3f}" for tag, change in figures.tags.items() if change < 0]
    if tags:
        parts += ["Kinds of questions that got worse on average:", "\n".join(tags)]
    worst = [
        f"- {_text(each['question'])} ({-each['lost']:+.2f}; expected {_text(each['expected'][0])})"
        for each in figures.worst
    ]
    return [*parts, "Those that lost most:", "\n".join(worst)] if worst else parts


def _text(value: str) -> str:
    return html.escape(value, quote=False).replace("|", "\\|").replace("\n", " ")
