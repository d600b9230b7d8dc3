"""`llmops search`: what a reader of the live version gets."""

from typing import Annotated, Any, cast

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._home import ledger
from llmops.flows.console import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "search")(search)


def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to look for.")],
    kb: Annotated[str, typer.Option("--kb", help="The knowledge base.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 5,
    mode: Annotated[str, typer.Option("--mode", help="hybrid, vector or text.")] = "hybrid",
    where: Annotated[
        str, typer.Option("--where", help="A condition: 'lang = \"de\" and year >= 2024'.")
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="An access label that you hold; repeat for several."),
    ] = None,
) -> Answer:
    """Search the live version of a knowledge base: public documents, and those that your labels
    open.
    """
    from llmops.configs.settings import settings
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.reading import allowed, hits, searcher
    from llmops.tasks.knowledge.versions import published
    from llmops.tasks.retrieval.hybrid import Mode

    if mode not in ("hybrid", "vector", "text"):
        raise UsageError(f"got --mode {mode}, allowed: hybrid, vector, text")
    if not question.strip():
        raise UsageError("the question is empty", hint='llmops search "how do I …" --kb NAME')
    home = settings().absolute_home
    live = published(ledger(), kb)
    found: dict[str, Any] = {
        "knowledge_base": kb,
        "version": live.version,
        "mode": mode,
        "hits": hits(
            searcher(home, live, allowed(live, where, label or ())).search(
                question, k, cast(Mode, mode)
            )
        ),
    }
    return Answer(found, lambda console: draw.hits(console, found))
