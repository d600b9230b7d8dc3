"""`llmops kb compare`: knowledge bases, or the arms of a grid, side by side on a golden set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llmops.flows.commands import _measured
from llmops.flows.commands._home import ledger
from llmops.flows.console import Answer, command


def register(app: typer.Typer) -> None:
    command(app, "compare")(compare)


def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME… | GRID",
            help="Two or more knowledge bases, or the config of a grid (YAML).",
        ),
    ],
    golden: Annotated[
        Path | None,
        typer.Option("--golden", help="A golden set (JSON lines); a grid names its own."),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="Documents looked at per question.")
    ] = 10,
    mode: Annotated[str, typer.Option("--mode", help="hybrid, vector or text.")] = "hybrid",
) -> Answer:
    """Compare chunkers and embedders: retrieval quality of each, and what it gains over the first
    one.
    """
    from llmops.tasks.errors import UsageError

    if mode not in ("hybrid", "vector", "text"):
        raise UsageError(f"got --mode {mode}, allowed: hybrid, vector, text")
    if len(what) == 1 and what[0].endswith((".yaml", ".yml")):
        return _grid(Path(what[0]), golden)
    if golden is None:
        raise UsageError("the golden set is missing", hint="llmops kb compare A B --golden FILE")
    if len(set(what)) != len(what) or len(what) < 2:
        raise UsageError(
            f"two or more different knowledge bases are wanted, got {', '.join(what)}",
            hint="or one grid: llmops kb compare GRID.yaml",
        )
    return _answer("-".join(what)[:60], _existing(what, golden, k, mode), golden, mode)


def _existing(names: Sequence[str], golden: Path, k: int, mode: str) -> list[Any]:
    from llmops.configs.settings import settings
    from llmops.tasks.knowledge.measuring import measure_version
    from llmops.tasks.knowledge.versions import published
    from llmops.tasks.maintenance.compare import Arm
    from llmops.tasks.retrieval.golden import read_golden

    home, questions, book = settings().absolute_home, read_golden(golden).questions, ledger()
    live = [published(book, name) for name in names]
    return [
        Arm(name=one.kb, version=one, measured=measure_version(home, one, questions, k, [mode]))
        for one in live
    ]


def _grid(path: Path, golden: Path | None) -> Answer:
    from llmops.configs import read
    from llmops.configs.compare import CompareConfig, arms
    from llmops.tasks.errors import UsageError

    if golden is not None:
        raise UsageError(
            "a grid names its golden set itself",
            where="--golden",
            hint=f"see the key `golden` in {path}",
        )
    config = read(path, CompareConfig)
    built = [_built(config, *arm) for arm in arms(config)]
    answer = _answer(config.name, built, config.folder / config.golden, config.mode)
    if not config.keep:
        _drop([arm.version.kb for arm in built])
    return answer


def _built(config: Any, name: str, changes: dict[str, Any], index: Any) -> Any:
    """Build one arm. Raises what stopped it: a comparison that lacks an arm is none."""
    from llmops.configs.settings import settings
    from llmops.flows.running import run_flow
    from llmops.tasks.errors import Blocked, BudgetExceeded
    from llmops.tasks.maintenance.compare import Arm

    home = settings().absolute_home
    outcome = run_flow(home, index)
    if outcome.exit_code:
        stopped = BudgetExceeded if outcome.status == "failed" else Blocked
        raise stopped(
            f"the arm {name!r} could not be built: {outcome.reason}", hint=outcome.hint or ""
        )
    arm = _existing([index.knowledge_base], config.folder / config.golden, config.k, config.mode)[0]
    return Arm(
        **{
            **dict(arm),
            "name": name,
            "changes": changes,
            "embeddings": outcome.embeddings["computed"],
            "seconds": outcome.seconds,
        }
    )


def _drop(names: Sequence[str]) -> None:
    from llmops.configs.settings import settings
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.leases import hold
    from llmops.tasks.maintenance.drop import drop

    home = settings().absolute_home
    for name in names:
        with hold(home, name) as lease:
            drop(open_ledger(home), lease, home, name)


def _answer(name: str, arms: Sequence[Any], golden: Path, mode: str) -> Answer:
    from llmops.configs.settings import settings
    from llmops.tasks.maintenance.compare import best, plot
    from llmops.tasks.maintenance.compare import compare as rows_of
    from llmops.tasks.retrieval.golden import read_golden
    from llmops.tasks.tracking import ComparisonRecord, record_comparison, run_url

    home, rows, k = settings().absolute_home, rows_of(arms), arms[0].measured.k
    facts = {
        "golden": str(golden),
        "golden_sha256": read_golden(golden).sha256,
        "k": k,
        "mode": mode,
        "questions": len(arms[0].measured.questions),
    }
    record = ComparisonRecord(
        name=name, rows=tuple(rows), plot=plot(rows, k, facts["questions"]), facts=facts
    )
    run = record_comparison(home, record)
    found = {
        "name": name,
        **facts,
        "arms": rows,
        "best": best(rows, f"ndcg@{k}"),
        "mlflow_run_id": run,
        "links": {"mlflow": run_url(home, run)},
    }
    return Answer(found, lambda console: _measured.comparison(console, found))
