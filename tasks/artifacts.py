"""What a flow run shows of itself in the Prefect UI: artifacts, at most six per run.

The functions are called inside a flow run and take plain data in the shape of the outcome's JSON.
Keys are `<knowledge base>-plan` and the like, so that the UI keeps their history per knowledge
base. Raises Unavailable when the server does not take them.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from httpx import HTTPError
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectException

from llmops.tasks.errors import Unavailable

ROWS = 1000
LENGTH = 500
COUNTED = ("documents", "chunks", "embeddings")


def plan(
    knowledge_base: str, documents: Mapping[str, int], rows: Sequence[Mapping[str, str]]
) -> None:
    """A table of what happens to which document; its description counts them."""
    counts = (
        ", ".join(f"{number} {name}" for name, number in documents.items() if number)
        or "nothing listed"
    )
    nothing = [{"what": "nothing", "uri": "no document is new, changed or gone", "source": ""}]
    _create(
        create_table_artifact,
        knowledge_base,
        "plan",
        table=_cells(rows) or nothing,
        description=f"Documents: {counts}",
    )


def outcome(outcome: Mapping[str, Any]) -> None:
    """The outcome in words and numbers with links; a table of the worst questions and a link to
    MLflow where there are any.
    """
    _create(
        create_markdown_artifact,
        outcome["knowledge_base"],
        "outcome",
        markdown=markdown(outcome),
        description=_headline(outcome),
    )
    if outcome.get("worst"):
        _create(
            create_table_artifact,
            outcome["knowledge_base"],
            "worst-questions",
            table=_cells(outcome["worst"]),
            description="The questions that the candidate answers worst",
        )
    links = outcome.get("links") or {}
    for name, text_of in (("mlflow", "MLflow run"), ("data docs", "Data Docs")):
        _linked(outcome["knowledge_base"], text_of, links.get(name, ""), _headline(outcome))


def quarantine(knowledge_base: str, items: Sequence[Mapping[str, Any]]) -> None:
    """A table of the documents that lie in quarantine: at which stage, why, since when."""
    columns = ("uri", "source", "stage", "reason", "attempts", "first_seen", "id")
    rows = [{name: item.get(name) for name in columns} for item in items]
    for row in rows:
        row["first_seen"] = str(row["first_seen"])[:16].replace("T", " ")
    stages = Counter(str(item.get("stage")) for item in items)
    told = ", ".join(f"{number} at {stage}" for stage, number in stages.most_common())
    documents = f"{len(rows)} document{'' if len(rows) == 1 else 's'} in quarantine"
    _create(
        create_table_artifact,
        knowledge_base,
        "quarantine",
        table=_cells(rows) or [{"uri": "none"}],
        description=f"{documents}: {told}. `llmops quarantine retry` tries them again.",
    )


def evaluation(name: str, summary: str, headline: str, target: str) -> None:
    """The decision of an evaluation as Markdown, made by tasks/decisions/summary.py, and a link to
    its MLflow run.
    """
    key = f"{name}-evaluation"
    _create(create_markdown_artifact, key, "decision", markdown=summary, description=text(headline))
    _linked(key, "MLflow run", target, headline)


def night(name: str, summary: str, headline: str, target: str) -> None:
    """A night as Markdown, made by tasks/nights/summary.py, and a link to its MLflow run."""
    _told(f"{name}-nightly", "night", summary, headline, target)


def live(app: str, summary: str, headline: str, target: str) -> None:
    """Live scores as Markdown, made by tasks/monitoring/summary.py, and a link to their curves."""
    _told(f"{app}-live", "scores", summary, headline, target)


def monitor(app: str, summary: str, headline: str, target: str) -> None:
    """A look at an application as Markdown, made by tasks/monitoring/monitor_summary.py, and a link
    to its curves.
    """
    _told(f"{app}-monitor", "look", summary, headline, target)


def maintenance(name: str, summary: str, headline: str) -> None:
    """What was freed and backed up, as Markdown."""
    _told(f"{name}-maintenance", "parts", summary, headline, "")


def feedback(name: str, summary: str, headline: str, target: str) -> None:
    """A run of the feedback flow as Markdown, made by tasks/datasets/summary.py, and a link to its
    counts over time.
    """
    _told(f"{name}-feedback", "feedback", summary, headline, target)


def dataset(name: str, summary: str, headline: str, target: str) -> None:
    """A data set's card as Markdown, without its pictures, and a link to its MLflow run."""
    _told(f"{name}-dataset", "card", summary, headline, target)


def training(name: str, summary: str, headline: str, target: str) -> None:
    """A training as Markdown, made by tasks/training/summary.py, and a link to its MLflow run."""
    _told(f"{name}-training", "training", summary, headline, target)


def _told(about: str, name: str, summary: str, headline: str, target: str) -> None:
    _create(create_markdown_artifact, about, name, markdown=summary, description=text(headline))
    _linked(about, "MLflow run", target, headline)


def _linked(about: str, what: str, target: str, headline: str) -> None:
    """A link that a browser follows; a file of this machine is none."""
    if target.startswith(("http://", "https://")):
        name = what.lower().replace(" ", "-")
        told = text(headline)
        _create(create_link_artifact, about, name, link=target, link_text=what, description=told)


def markdown(outcome: Mapping[str, Any]) -> str:
    """The outcome as Markdown; whatever it quotes is shown as text."""
    parts = [f"# {text(_headline(outcome))}"]
    parts += [f"**Why:** {text(outcome['reason'])}" for _ in [0] if outcome.get("reason")]
    parts += [f"**What now:** {text(outcome['hint'])}" for _ in [0] if outcome.get("hint")]
    parts += _gate(outcome.get("gate") or {}, str(outcome.get("reason") or ""))
    parts.append(
        _table(
            ["", "what", "number"],
            [
                [name, what, f"{number:,}"]
                for name in COUNTED
                for what, number in (outcome.get(name) or {}).items()
                if number or what == "total"
            ],
        )
    )
    tokens, usd = outcome.get("tokens", 0), outcome.get("cost_usd", 0)
    spent = [f"{tokens:,} tokens"] * bool(tokens) + [f"{usd:.4f} USD"] * bool(usd)
    parts.append(" · ".join([*spent, f"{outcome.get('seconds', 0)} s"]))
    parts += (
        ["## Warnings\n\n" + "\n".join(f"- {text(warning)}" for warning in outcome["warnings"])]
        if outcome.get("warnings")
        else []
    )
    links = outcome.get("links") or {}
    parts += (
        [
            "## Records\n\n"
            + "\n".join(f"- {text(name)}: {link(target)}" for name, target in links.items())
        ]
        if links
        else []
    )
    return "\n\n".join(parts)


def text(value: object) -> str:
    """Any text as Markdown that shows it literally, on one line: no markup, no HTML, no end of a
    table cell.
    """
    plain = " ".join(str(value).split())
    plain = plain if len(plain) <= LENGTH else f"{plain[:LENGTH]}…"
    return re.sub(r"([\\`*_{}\[\]()#+!|~:@])", r"\\\1", html.escape(plain, quote=False))


def link(target: str) -> str:
    """A Markdown link for the web's addresses; anything else, such as a file, as text: browsers do
    not follow it.
    """
    if not target.startswith(("http://", "https://")):
        return text(target)
    return f"<{target}>" if not re.search(r"[\s<>]", target) else text(target)


def _headline(outcome: Mapping[str, Any]) -> str:
    version = outcome.get("candidate") or outcome.get("version")
    number = f" v{version}" if version is not None else ""
    verdict = (outcome.get("gate") or {}).get("verdict", "skipped")
    gate = "" if verdict == "skipped" else f", gate {verdict}"
    return f"{outcome['knowledge_base']}{number}: {outcome.get('status', 'failed')}{gate}"


def _gate(gate: Mapping[str, Any], told: str) -> list[str]:
    if not gate:
        return []
    parts = [
        f"## Gate: {text(gate.get('verdict'))}",
        *([text(gate["reason"])] if gate.get("reason") and gate["reason"] not in told else []),
    ]
    rows = [
        [
            name,
            *(_figure(metric.get(key)) for key in ("candidate", "live", "difference", "interval")),
        ]
        for name, metric in (gate.get("metrics") or {}).items()
    ]
    return [
        *parts,
        *(
            [_table(["metric", "candidate", "live", "difference", "interval"], rows)]
            if rows
            else []
        ),
    ]


def _figure(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " … ".join(map(_figure, value))
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a table artifact: plain values on one line; what is too much is said in a last
    row.
    """
    shown = [{str(name): _cell(value) for name, value in row.items()} for row in rows[:ROWS]]
    if len(rows) > ROWS:
        shown.append({next(iter(shown[0])): f"… and {len(rows) - ROWS} more"})
    return shown


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    line = " ".join(
        (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        ).split()
    )
    # One of Prefect's two UIs shows a cell as Markdown with HTML, the other as text: an invisible
    # word joiner suits both.
    return re.sub(
        r"<(?=[A-Za-z/!?])|\](?=\()",
        lambda match: f"{match[0]}\u2060",
        line if len(line) <= LENGTH else f"{line[:LENGTH]}…",
    )


def _create(create: Callable[..., object], about: str, name: str, **content: object) -> None:
    try:
        create(key=f"{about}-{name}", **content)
    except (HTTPError, PrefectException) as error:
        raise Unavailable(
            f"Prefect did not take the artifact {name}: {error}", hint="see the server's log"
        ) from error
