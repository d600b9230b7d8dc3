"""`llmops kb compare`: knowledge bases, or the arms of a grid, side by side on a golden set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _measured
from llmops.flows.commands._options import Depth, ModeName, checked_mode, home, knowledge_base
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from llmops.configs.compare import ArmConfig, CompareConfig
    from llmops.tasks.maintenance.compare import MeasuredBase

app = typer.Typer()


@command(app, "compare", long=True)
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
    k: Depth = 10,
    mode: ModeName = "hybrid",
) -> Answer:
    """Compare chunkers and embedders: retrieval quality of each, and what it gains over the first
    one.
    """
    from llmops.tasks.errors import UsageError

    checked_mode(mode)
    if len(what) == 1 and what[0].endswith((".yaml", ".yml")):
        return _grid(Path(what[0]), golden)
    if golden is None:
        raise UsageError("the golden set is missing", hint="llmops kb compare A B --golden FILE")
    if len(set(what)) != len(what) or len(what) < 2:
        raise UsageError(
            f"two or more different knowledge bases are wanted, got {', '.join(what)}",
            hint="or one grid: llmops kb compare GRID.yaml",
        )
    return _compared("-".join(what)[:60], _measured_bases(what, golden, k, mode), golden, mode)


def _measured_bases(names: Sequence[str], golden: Path, k: int, mode: str) -> "list[MeasuredBase]":
    from llmops.tasks.knowledge.measuring import measure_version
    from llmops.tasks.maintenance.compare import MeasuredBase
    from llmops.tasks.retrieval.golden import read_golden

    questions = read_golden(golden).questions
    return [
        MeasuredBase(
            name=live.kb,
            version=live,
            measured=measure_version(home(), live, questions, k, [mode]),
        )
        for live in [knowledge_base(name).published() for name in names]
    ]


def _grid(path: Path, golden: Path | None) -> Answer:
    from llmops.configs import read
    from llmops.configs.compare import CompareConfig, arms
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance.drop import drop
    from llmops.tasks.tracking.store import forget_experiment

    if golden is not None:
        raise UsageError(
            "a grid names its golden set itself",
            where="--golden",
            hint=f"see the key `golden` in {path}",
        )
    config = read(path, CompareConfig)
    built = [_built(config, arm) for arm in arms(config)]
    compared = _compared(config.name, built, config.folder / config.golden, config.mode)
    for arm in built if not config.keep else ():
        kb = knowledge_base(arm.version.kb)
        with kb.hold() as lease:
            drop(kb, lease)
        forget_experiment(home(), arm.version.kb)
    return compared


def _built(config: "CompareConfig", arm: "ArmConfig") -> "MeasuredBase":
    """Build one arm. Raises what stopped it: a comparison that lacks an arm is none."""
    from llmops.flows.running import run_flow
    from llmops.tasks.errors import Blocked, BudgetExceeded
    from llmops.tasks.knowledge.outcome import Outcome

    outcome = Outcome.model_validate(run_flow(home(), arm.config))
    if outcome.exit_code:
        stopped = BudgetExceeded if outcome.status == "failed" else Blocked
        raise stopped(
            f"the arm {arm.name!r} could not be built: {outcome.reason}", hint=outcome.hint or ""
        )
    golden = config.folder / config.golden
    (base,) = _measured_bases([arm.config.knowledge_base], golden, config.k, config.mode)
    return base.model_copy(
        update={
            "name": arm.name,
            "changes": arm.changes,
            "embeddings": outcome.embeddings["computed"],
            "seconds": outcome.seconds,
        }
    )


def _compared(name: str, arms: "Sequence[MeasuredBase]", golden: Path, mode: str) -> Answer:
    from llmops.tasks.maintenance.compare import best, plot
    from llmops.tasks.maintenance.compare import compare as rows_of
    from llmops.tasks.retrieval.golden import read_golden
    from llmops.tasks.tracking import ComparisonRecord, record_comparison, run_url

    rows, k, questions = rows_of(arms), arms[0].measured.k, len(arms[0].measured.questions)
    facts = {
        "golden": str(golden),
        "golden_sha256": read_golden(golden).sha256,
        "k": k,
        "mode": mode,
        "questions": questions,
    }
    record = ComparisonRecord(
        name=name, rows=tuple(rows), plot=plot(rows, k, questions), facts=facts
    )
    run = record_comparison(home(), record)
    return answer(
        {
            "name": name,
            **facts,
            "arms": rows,
            "best": best(rows, f"ndcg@{k}"),
            "mlflow_run_id": run,
            "links": {"mlflow": run_url(home(), run)},
        },
        _measured.comparison,
    )
