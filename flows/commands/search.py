"""`llmops search`: what a reader of the live version gets."""

from typing import Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import ModeName, checked_mode, home, knowledge_base, ledger
from llmops.flows.console import Answer, answer, command

app = typer.Typer()


@command(app, "search")
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to look for.")],
    kb: Annotated[str, typer.Option("--kb", help="The knowledge base.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 5,
    mode: ModeName = "hybrid",
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
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, hits, searcher
    from llmops.tasks.knowledge.views import documents_of

    chosen = checked_mode(mode)
    if not question.strip():
        raise UsageError("the question is empty", hint='llmops search "how do I …" --kb NAME')
    live = knowledge_base(kb).published()
    seen = searcher(home(), live, allowed(live, where, label or ()))
    found = hits(seen.search(question, k, chosen, columns=HIT_COLUMNS))
    about = documents_of(live, ledger(), {hit["doc_id"] for hit in found})
    nothing = {"source": "", "metadata": {}, "labels": []}
    return answer(
        {
            "knowledge_base": kb,
            "version": live.version,
            "mode": mode,
            "hits": [{**hit, **about.get(hit["doc_id"], nothing)} for hit in found],
            "warnings": seen.remarks(question, chosen),
        },
        draw.hits,
    )
