"""`llmops kb compare`: knowledge bases, or the arms of a grid, side by side on a golden set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _measured
from llmops.flows.commands._options import (
    Depth,
    ModeName,
    Rerank,
    checked_mode,
    home,
    knowledge_base,
    rerankers,
)
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from llmops.configs.compare import ArmConfig, CompareConfig
    from llmops.tasks.maintenance.compare import MeasuredBase
    from llmops.tasks.plugins import Spec

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
    rerank: Rerank = None,
) -> Answer:
    """Compare chunkers, embedders and rerankers: retrieval quality of each, and what it gains over
    the first one.
    """
    from llmops.tasks.errors import UsageError

    checked_mode(mode)
    if len(what) == 1 and what[0].endswith((".yaml", ".yml")):
        return _grid(Path(what[0]), golden, rerank or ())
    if golden is None:
        raise UsageError("the golden set is missing", hint="llmops kb compare A B --golden FILE")
    specs = rerankers(rerank or ())
    if len(set(what)) != len(what) or len(what) + len(specs) < 2:
        raise UsageError(
            f"two or more different knowledge bases are wanted, got {', '.join(what)}",
            hint="or one grid: llmops kb compare GRID.yaml; or one with --rerank",
        )
    measured = _measured_bases(what, golden, k, mode, specs)
    return _compared("-".join(what)[:60], measured, golden, mode)


def _measured_bases(
    names: Sequence[str], golden: Path, k: int, mode: str, rerank: "Sequence[Spec]"
) -> "list[MeasuredBase]":
    """Each as it is searched, and then with each of the rerankers."""
    from llmops.tasks.knowledge.measuring import measure_version, reranked_mode
    from llmops.tasks.maintenance.compare import MeasuredBase
    from llmops.tasks.retrieval.golden import read_golden

    questions = read_golden(golden).questions
    made = []
    for live in [knowledge_base(name).published() for name in names]:
        measured = measure_version(home(), live, questions, k, [mode], rerank)
        made.append(MeasuredBase(name=live.kb, version=live, measured=measured.only(mode)))
        for spec in rerank:
            way = reranked_mode(mode, spec)
            arm = MeasuredBase(
                name=way.replace(mode, live.kb, 1),
                version=live,
                measured=measured.only(way),
                changes={"rerank": spec.short()},
            )
            made.append(arm)
    return made


def _grid(path: Path, golden: Path | None, rerank: Sequence[str]) -> Answer:
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
    config, specs = read(path, CompareConfig), rerankers(rerank)
    built = [base for arm in arms(config) for base in _built(config, arm, specs)]
    compared = _compared(config.name, built, config.folder / config.golden, config.mode)
    for name in dict.fromkeys(arm.version.kb for arm in built) if not config.keep else ():
        kb = knowledge_base(name)
        with kb.hold() as lease:
            drop(kb, lease)
        forget_experiment(home(), name)
    return compared


def _built(
    config: "CompareConfig", arm: "ArmConfig", rerank: "Sequence[Spec]"
) -> "list[MeasuredBase]":
    """Build one arm, and measure it with each of the rerankers too. Raises what stopped it: a
    comparison that lacks an arm is none.
    """
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
    name, specs = arm.config.knowledge_base, (*config.rerank, *rerank)
    return [
        base.model_copy(
            update={
                "name": base.name.replace(name, arm.name, 1),
                "changes": {**arm.changes, **base.changes},
                "embeddings": outcome.embeddings["computed"],
                "seconds": outcome.seconds,
            }
        )
        for base in _measured_bases([name], golden, config.k, config.mode, specs)
    ]


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
