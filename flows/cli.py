"""The `llmops` command. Importing it loads nothing heavy: each command imports what it needs when
it runs.
"""

import sys
from typing import Annotated

import typer

from llmops.flows import console
from llmops.flows.commands import (
    alerts,
    answers,
    audit,
    backup,
    build,
    compare,
    cost,
    decision,
    demo,
    deploy,
    evaluate,
    explain,
    feedback,
    finetune,
    golden,
    kb,
    keys,
    maintain,
    maintenance,
    models,
    monitor,
    nightly,
    plugins,
    prompts,
    quarantine,
    review,
    score,
    search,
    serve,
    status,
    traces,
    train,
    up,
    users,
)
from llmops.flows.interrupts import run

app = typer.Typer(
    name="llmops",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="LLMOps as scheduled, observable pipelines. State lives in LLMOPS_HOME (default: "
    ".llmops).",
    epilog="Exit codes: 0 done, 1 error, 2 usage or configuration, 3 blocked, 4 failure budget "
    "exceeded, "
    "5 inconclusive, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        sys.stdout.write(f"llmops-pipelines {installed('llmops-pipelines')}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    """Options of `llmops` itself; what they do, they do before a command is looked for."""


for part in (compare, maintenance):
    kb.app.add_typer(part.app)
TOP = (
    *(demo, build, search, explain, evaluate, kb, quarantine, golden, prompts, decision),
    *(score, monitor, feedback, finetune, train, models, nightly, serve, deploy, up, status),
    *(review, answers, keys, audit, traces, users, alerts, backup, cost, maintain, plugins),
)
for part in TOP:
    app.add_typer(part.app)


def main() -> None:
    """Entry point of the console script."""
    run(lambda: console.main(app))


if __name__ == "__main__":
    main()
