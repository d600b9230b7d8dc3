"""`llmops search`: what a reader of the live version gets."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import (
    ModeName,
    checked_mode,
    home,
    knowledge_base,
    ledger,
    rerankers,
    the_only_base,
)
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from llmops.tasks.knowledge.handle import Version
    from llmops.tasks.retrieval.hybrid import Mode, Searcher
    from llmops.tasks.schemas import Record

app = typer.Typer()
Words = Annotated[
    list[str], typer.Argument(metavar="QUESTION", help="What to look for, quoted or not.")
]


@command(app, "search")
def search(
    words: Words,
    kb: Annotated[
        str | None, typer.Option("--kb", help="The knowledge base, where there are several.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 5,
    mode: ModeName = "hybrid",
    where: Annotated[
        str, typer.Option("--where", help="A condition: 'lang = \"de\" and year >= 2024'.")
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="An access label that you hold; repeat for several."),
    ] = None,
    rerank: Annotated[
        str,
        typer.Option(
            "--rerank",
            help="Order the best passages anew: overlap, or '{name: endpoint, base_url: …}'.",
        ),
    ] = "",
) -> Answer:
    """Search the live version of a knowledge base: public documents, and those that your labels
    open.
    """
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.loading import begin_loading

    chosen, question = checked_mode(mode), " ".join(words)
    if not question.strip():
        raise UsageError("the question is empty", hint='llmops search "how do I …" --kb NAME')
    live = knowledge_base(kb or the_only_base()).published()
    begin_loading(live, chosen)  # before the store, which takes as long
    from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, searcher

    seen = searcher(home(), live, allowed(live, where, label or ()))
    rows, order = (
        _reranked(live, seen, question, k, chosen, rerank)
        if rerank
        else (seen.passages(question, k, chosen, columns=HIT_COLUMNS), {})
    )
    found = {
        "knowledge_base": live.kb,
        "version": live.version,
        "mode": mode,
        **order,
        "hits": _hits(live, rows),
        "warnings": seen.remarks(question, chosen),
    }
    return answer(found, draw.hits)


def _hits(live: "Version", rows: "list[Record]") -> "list[Record]":
    """The passages, with the source, the metadata and the labels of their documents."""
    from llmops.tasks.knowledge.reading import passages
    from llmops.tasks.knowledge.views import documents_of

    found, nothing = passages(rows), {"source": "", "metadata": {}, "labels": []}
    about = documents_of(live, ledger(), {hit["doc_id"] for hit in found})
    return [{**hit, **about.get(hit["doc_id"], nothing)} for hit in found]


def _reranked(
    live: "Version", seen: "Searcher", question: str, k: int, mode: "Mode", value: str
) -> "tuple[list[Record], dict[str, object]]":
    """The passages, and what the answer says of their order: `said` is why the plain one stands."""
    from llmops.tasks.calls.costs import Payer
    from llmops.tasks.knowledge.reading import HIT_COLUMNS
    from llmops.tasks.knowledge.reranked import RerankedSearch
    from llmops.tasks.plugins.rerankers import Reranker

    [spec] = rerankers([value])
    reranker = spec.build(Reranker)
    payer = Payer("search", live.kb)
    search = RerankedSearch(home(), live.kb, seen, reranker, payer)
    rows, said = search.passages(question, k, mode, HIT_COLUMNS)
    order = {"name": spec.name, "candidates": reranker.candidates, "said": said}
    return rows, {"rerank": order}
