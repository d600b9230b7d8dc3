"""`llmops demo`: the whole idea in a minute, offline, on real text."""

import sys
from typing import Any

import typer

from llmops.flows.console import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "demo")(demo)
    command(app, "down")(down)


def demo() -> Answer:
    """Show builds, an edit, the gate, a search and a rollback on the Python help topics. Offline,
    about a minute.
    """
    from llmops.configs.settings import settings
    from llmops.flows.demo import Demonstration

    out = sys.stderr if "--json" in sys.argv else sys.stdout
    steps: list[dict[str, Any]] = Demonstration(settings().absolute_home, out).run()
    return Answer({"flow": "demo", "steps": steps})


def down() -> Answer:
    """End the background Prefect server of this home."""
    from llmops.configs.settings import settings
    from llmops.flows import server

    stopped = server.stop(settings().absolute_home)
    return Answer(
        {"stopped": stopped},
        lambda console: console.print(
            "The Prefect server has ended." if stopped else "No server was running."
        ),
    )
