"""`llmops kb repair`, `llmops kb gc`: what an operator does when something was lost, or the disk is
full.
"""

from typing import Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands.kb import Name
from llmops.flows.console import Answer, command

Vectors = Annotated[
    bool,
    typer.Option("--vectors", help="Compare every text and vector too, not only ids and hashes."),
]
Details = Annotated[bool, typer.Option("--details", help="List the ids.")]
Embeddings = Annotated[
    bool,
    typer.Option(
        "--embeddings",
        help="Also forget embeddings and parsed texts that no kept version has: if such "
        "a text comes back, it is paid for again.",
    ),
]


def register(app: typer.Typer) -> None:
    command(app, "repair")(repair)
    command(app, "gc")(gc)


def repair(name: Name, vectors: Vectors = False, details: Details = False) -> Answer:
    """Restore what the store has lost, from the lake and the embeddings that were paid for; remove
    what does not belong there.
    """
    from llmops.configs.settings import settings
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.maintenance.repair import repair as mend
    from llmops.tasks.maintenance.verify import counts

    home = settings().absolute_home
    found = mend(open_ledger(home), home, name, thorough=vectors)
    shown = found if details else counts(found)
    return Answer(
        shown, lambda console: draw.facts(console, shown), exit_code=0 if found["ok"] else 1
    )


def gc(name: Name, embeddings: Embeddings = False) -> Answer:
    """Free what no kept version needs: rows and collections of the store, files of the lake,
    outcomes of old runs.
    """
    from llmops.configs.settings import settings
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.maintenance.garbage import gc as free

    home = settings().absolute_home
    found = free(open_ledger(home), home, name, paid=embeddings)
    return Answer(found, lambda console: draw.facts(console, found))
