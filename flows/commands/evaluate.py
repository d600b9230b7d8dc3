"""`llmops evaluate`: compare arms on cases, and promote the better one by a stored decision."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands import _evaluated as draw
from llmops.flows.commands._options import Changes, home
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.configs.evaluate import EvaluateConfig
    from llmops.tasks.decisions.decision import Decision

CODES = {"promote": 0, "reject": 3, "inconclusive": 5}

app = typer.Typer()


@command(app, "evaluate", long=True)
def evaluate(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A config with `flow: evaluate` (YAML).")
    ],
    changes: Changes = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Say what would be asked and what it would cost at most, and stop."
        ),
    ] = False,
    accept_cases: Annotated[
        bool,
        typer.Option("--accept-cases", help="Allow cases that changed since the last decision."),
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Compare the judges with the labels of people, and stop."),
    ] = False,
    ci: Annotated[
        bool, typer.Option("--ci", help="Print a Markdown summary, as for a pull request.")
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Also write the decision as JUnit XML."),
    ] = None,
) -> Answer:
    """Compare prompts, models and retrieval settings on cases, and decide with statistics."""
    from llmops.configs import read
    from llmops.configs.evaluate import EvaluateConfig
    from llmops.flows.running import run_flow
    from llmops.tasks.decisions.record import guard_cases
    from llmops.tasks.evaluation.forecast import forecast
    from llmops.tasks.evaluation.prepare import begin

    chosen = read(config, EvaluateConfig, changes or ())
    if calibrate:
        return _calibrated(chosen)
    if junit is not None:
        _writable(junit)
    # every mistake that can be found, before a server is started for it and before anything is
    # paid or pushed
    run, cases, _ = begin(home(), chosen.evaluation_spec(), None)
    if not accept_cases:
        guard_cases(home(), run.name, cases)
    if plan:
        return answer(forecast(run, cases.cases), draw.forecast)
    return _decided(run_flow(home(), chosen, accept_cases=accept_cases), ci, junit)


def _decided(outcome: dict[str, Any], ci: bool, junit: Path | None) -> Answer:
    from llmops.tasks.decisions.decision import Decision

    told = outcome.pop("scheduled", "")  # no part of a record that is sealed by its hash
    if told:
        outcome["remarks"] = [*outcome.get("remarks", []), f"schedule {told}"]
    record = Decision.model_validate(outcome)
    if junit is not None:
        _write_junit(junit, record)
    shown = _summary if ci else draw.decision
    return Answer(outcome, lambda console: shown(console, record), exit_code(record))


def _summary(console: "Console", record: "Decision") -> None:
    from llmops.tasks.decisions.summary import summary_markdown

    console.print(summary_markdown(record), markup=False, highlight=False, soft_wrap=True)


def exit_code(record: "Decision") -> int:
    """0 promote, 3 reject, 5 inconclusive, 4 too many errors; 1 when the alias should have moved
    and did not.
    """
    if record.status == "failed":
        return 4
    return 1 if record.stayed else CODES[record.verdict]


def _calibrated(config: "EvaluateConfig") -> Answer:
    from llmops.tasks.evaluation.calibration import calibrate

    calibrated = calibrate(home(), config.evaluation_spec())
    trusted = all(judge["trusted"] for judge in calibrated["judges"].values())
    return answer(calibrated, draw.calibration, 0 if trusted else 5)


def _writable(path: Path) -> None:
    """Said before anything is paid; leaves no empty file behind."""
    there = path.exists()
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    if not there:
        path.unlink()


def _write_junit(path: Path, record: "Decision") -> None:
    from llmops.tasks.decisions.summary import junit

    with _writing(path):
        path.write_text(junit(record), encoding="utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    from llmops.tasks.errors import UsageError

    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", where="--junit"
        ) from error
