"""`llmops index`, `llmops check`: build a knowledge base, or only look whether a config is
right.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.console import Answer, command

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file (YAML).")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set chunk.size=300"),
]


def register(app: typer.Typer) -> None:
    command(app, "check")(check)
    command(app, "index")(index)


def index(
    config: Config,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be done and what it costs, and stop.")
    ] = False,
    allow_deletes: Annotated[
        bool,
        typer.Option(
            "--allow-deletes", help="Retire vanished documents beyond the limit, this once."
        ),
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Read and parse everything again.")] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="SECONDS", min=0, help="Wait for a running build to end."),
    ] = 0,
    changes: Set = None,
) -> Answer:
    """Build the next version of a knowledge base, and publish it if it is good enough."""
    from llmops.configs import read
    from llmops.configs.index import IndexConfig

    settings = read(config, IndexConfig, changes or ())
    return (
        _plan(settings, full)
        if plan
        else run(settings, config, allow_deletes=allow_deletes, full=full, wait_seconds=wait)
    )


def run(
    config: Any,
    path: Path | None,
    *,
    allow_deletes: bool = False,
    full: bool = False,
    wait_seconds: float = 0,
) -> Answer:
    """Run the index flow against this home's Prefect server, which is started when there is
    none.
    """
    from llmops.configs.settings import settings
    from llmops.flows.running import run_flow

    home = settings().absolute_home
    if stopped := _running_build(config, home, wait_seconds):
        return stopped
    _first_build_sources(config, home)
    outcome = run_flow(
        home, config, allow_deletes=allow_deletes, full=full, wait_seconds=wait_seconds
    )
    _remember(home, config, path)
    return _answer(outcome)


def _answer(outcome: Any) -> Answer:
    return Answer(
        outcome.public(), lambda console: draw.outcome(console, outcome.public()), outcome.exit_code
    )


def _running_build(config: Any, home: Path, wait_seconds: float) -> Answer | None:
    """What is said at once, without starting anything, where another build holds the lease and
    nobody wants to wait.
    """
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.knowledge.session import begin
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.leases import busy, holder

    who = None if wait_seconds else holder(open_ledger(home), config.knowledge_base)
    if who is None:
        return None
    outcome = begin(Handle(home=home, name=config.knowledge_base), None)
    outcome.stop(busy(config.knowledge_base, who))
    return _answer(outcome)


def _first_build_sources(config: Any, home: Path) -> None:
    """A path that never existed is a mistake of the config (exit 2), and said before anything is
    started.
    """
    from llmops.tasks.knowledge.versions import live_version
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.plugins.sources import Source

    if live_version(open_ledger(home), config.knowledge_base) is None:
        for spec in config.sources:
            spec.build(Source).at(config.folder).check()


def _remember(home: Path, config: Any, path: Path | None) -> None:
    from llmops.tasks.knowledge.versions import remember_config
    from llmops.tasks.ledger import open_ledger

    if path is not None:
        remember_config(open_ledger(home), config.knowledge_base, str(path.absolute()))


def rebuild(kb: str) -> Answer:
    """Run the index flow again with the config file that built the knowledge base."""
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.configs.settings import settings
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.versions import config_path
    from llmops.tasks.ledger import open_ledger

    path = config_path(open_ledger(settings().absolute_home), kb)
    if path is None:
        raise UsageError(
            f"it is not known which config built {kb!r}",
            hint="run it yourself: llmops index CONFIG",
        )
    return run(read(Path(path), IndexConfig), Path(path))


def _plan(config: Any, full: bool) -> Answer:
    from llmops.configs.settings import settings
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.knowledge.planning import dry_run
    from llmops.tasks.plugins.stores import Store

    outcome = dry_run(
        Handle(home=settings().absolute_home, name=config.knowledge_base),
        config.stages(),
        config.store.build(Store),
        config.facts(),
        config.sources,
        config.folder,
        config.embed,
        full=full,
    )
    return Answer(
        outcome,
        lambda console: draw.outcome(console, outcome),
        exit_code=3 if outcome["status"] == "blocked" else 0,
    )


def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="CONFIG…", help="Config files, or folders of them.")
    ],
) -> Answer:
    """Check configs without running anything: every mistake at once."""
    from llmops.configs import check_all

    checked = check_all(paths)
    return Answer(
        {"ok": True, "checked": checked},
        lambda console: [console.print(f"ok  {one}", markup=False) for one in checked],
    )
