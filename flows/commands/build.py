"""`llmops index`, `llmops check`: build a knowledge base, or only look whether a config is
right.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import Changes, Config, home, knowledge_base
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmops.configs.index import IndexConfig
    from llmops.tasks.knowledge.outcome import Outcome

app = typer.Typer()


@command(app, "check")
def check(
    paths: Annotated[
        list[Path], typer.Argument(metavar="CONFIG…", help="Config files, or folders of them.")
    ],
) -> Answer:
    """Check configs without running anything: every mistake at once."""
    from llmops.configs import check_all

    checked = check_all(paths)
    warnings = [warning for file in checked for warning in _stale(Path(file))]
    warnings += _misnamed([Path(file) for file in checked])
    told = [*(f"ok  {file}" for file in checked), *(f"warning  {each}" for each in warnings)]
    data = {"ok": True, "checked": checked, "warnings": warnings}
    return answer(data, line("\n".join(map(draw.printable, told))))


def _stale(file: Path) -> list[str]:
    """What a config asks for that the live version does not have; nothing where none is live."""
    from llmops.configs import read
    from llmops.configs.evaluate import EvaluateConfig
    from llmops.configs.index import IndexConfig
    from llmops.configs.reading import named_in
    from llmops.tasks.errors import LlmopsError
    from llmops.tasks.evaluation.stale import stale_cases
    from llmops.tasks.maintenance.golden import stale_questions
    from llmops.tasks.schemas import paths_of

    flow, name = named_in(file)
    try:
        if flow == "evaluate":
            return [f"{file}: {w}" for w in stale_cases(home(), read(file, EvaluateConfig))]
        if flow == "serve":
            return _unserved(file)
        gate = read(file, IndexConfig).gate if flow == "index" else None
        golden = paths_of(file.parent, gate.golden) if gate else ()
        found = stale_questions(knowledge_base(name), golden) if golden else []
        return [f"{', '.join(map(str, golden))}: {warning}" for warning in found]
    except LlmopsError as error:  # the configs are right; what they ask is not known
        return [f"{file}: not compared with what is live: {error.message}"]


def _misnamed(files: "Sequence[Path]") -> list[str]:
    """Applications that no config beside them serves, and that have not answered here."""
    from llmops.configs.applications import unserved_apps
    from llmops.tasks.errors import LlmopsError
    from llmops.tasks.traces.index import known_apps

    try:
        return list(unserved_apps(files, known_apps(home())))
    except LlmopsError as error:
        return [f"applications are not compared with those that have answered: {error.message}"]


def _unserved(file: Path) -> list[str]:
    """Knowledge bases of an application that this home does not have, and a condition that they do
    not take. Nothing where no knowledge base was ever built.
    """
    from llmops.configs import read
    from llmops.configs.serve import ServeConfig
    from llmops.tasks.errors import LlmopsError
    from llmops.tasks.knowledge.reading import allowed

    config, found = read(file, ServeConfig), list[str]()
    for name in config.knowledge_bases if (home() / "ledger.db").exists() else ():
        try:
            allowed(knowledge_base(name).published(), config.retrieve.where, ())
        except LlmopsError as error:
            hint = f" ({error.hint})" if error.hint else ""
            found.append(f"{file}: {error.message}{hint}")
    return found


@command(app, "index", long=True)
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
    changes: Changes = None,
) -> Answer:
    """Build the next version of a knowledge base, and publish it if it is good enough."""
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.tasks.errors import ConfigError

    try:
        settings = read(config, IndexConfig, changes or ())
    except ConfigError:
        read(config, IndexConfig, changes or (), outside=True)  # sources that are not there, too
        raise
    if plan:
        return _plan(settings, full, allow_deletes)
    return _run(settings, config, allow_deletes=allow_deletes, full=full, wait_seconds=wait)


def rebuild(kb: str) -> Answer:
    """Run the index flow again with the config file that built the knowledge base."""
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.versions import config_path

    path = config_path(knowledge_base(kb))
    if path is None:
        raise UsageError(
            f"it is not known which config built {kb!r}",
            hint="run it yourself: llmops index CONFIG",
        )
    return _run(read(Path(path), IndexConfig), Path(path))


def _run(
    config: "IndexConfig",
    path: Path,
    *,
    allow_deletes: bool = False,
    full: bool = False,
    wait_seconds: float = 0,
) -> Answer:
    """Run the index flow against this home's Prefect server, which is started when there is
    none.
    """
    from llmops.flows.running import run_flow
    from llmops.tasks.knowledge.outcome import Outcome
    from llmops.tasks.knowledge.versions import remember_config

    if (stopped := _running_build(config, wait_seconds)) is not None:
        return answer(stopped.public(), draw.outcome, stopped.exit_code)
    _first_build_sources(config, path)
    options = {"allow_deletes": allow_deletes, "full": full, "wait_seconds": wait_seconds}
    ended = run_flow(home(), config, **options)
    scheduled = {"scheduled": ended.pop("scheduled")} if "scheduled" in ended else {}
    outcome = Outcome.model_validate(ended)
    remember_config(knowledge_base(config.knowledge_base), str(path.absolute()))
    return answer({**outcome.public(), **scheduled}, draw.outcome, outcome.exit_code)


def _running_build(config: "IndexConfig", wait_seconds: float) -> "Outcome | None":
    """What is said at once, without starting anything, where another build holds the lease and
    nobody wants to wait.
    """
    from llmops.tasks.knowledge.start import blocked
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.leases import busy, holder

    who = None if wait_seconds else holder(open_ledger(home()), config.knowledge_base)
    if who is None:
        return None
    return blocked(knowledge_base(config.knowledge_base), busy(config.knowledge_base, who))


def _first_build_sources(config: "IndexConfig", path: Path) -> None:
    """Paths that never existed are mistakes of the config (exit 2), and said before anything is
    started.
    """
    from llmops.tasks.errors import ConfigError

    if knowledge_base(config.knowledge_base).live() is None and (
        absent := config.never_existed(str(path))
    ):
        raise ConfigError(absent)


def _plan(config: "IndexConfig", full: bool, allow_deletes: bool) -> Answer:
    from llmops.tasks.knowledge.build import Specs
    from llmops.tasks.knowledge.planner import dry_run

    specs = Specs.model_validate(config)
    outcome = dry_run(
        knowledge_base(config.knowledge_base),
        specs,
        full=full,
        max_delete_fraction=config.limits.max_delete_fraction,
        allow_deletes=allow_deletes,
    )
    return answer(outcome, draw.outcome, 3 if outcome["status"] == "blocked" else 0)
