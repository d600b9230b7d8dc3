"""`llmops evaluate`: compare arms on cases, and promote the better one by a stored decision."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from llmops.flows.commands import _evaluated as draw
from llmops.flows.console import Answer, command

CODES = {"promote": 0, "reject": 3, "inconclusive": 5}


def register(app: typer.Typer) -> None:
    command(app, "evaluate")(evaluate)


def evaluate(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A config with `flow: evaluate` (YAML).")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config."),
    ] = None,
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
    from llmops.configs.settings import settings

    chosen = read(config, EvaluateConfig, changes or ())
    home = settings().absolute_home
    if calibrate:
        return _calibrated(home, chosen)
    if junit is not None:
        _writable(junit)
    trial, cases = _settled(home, chosen, accept_cases)
    if plan:
        return _planned(trial, cases)
    return answer(_run(home, chosen, accept_cases), ci, junit)


def answer(record: dict[str, Any], ci: bool, junit: Path | None) -> Answer:
    """The record as the command's answer."""
    from llmops.tasks.decisions.summary import junit as as_junit
    from llmops.tasks.decisions.summary import summary_markdown

    if junit is not None:
        _write(junit, as_junit(record))
    if ci:
        return Answer(
            record,
            lambda console: console.print(
                summary_markdown(record), markup=False, highlight=False, soft_wrap=True
            ),
            exit_code(record),
        )
    return Answer(record, lambda console: draw.decision(console, record), exit_code(record))


def exit_code(record: dict[str, Any]) -> int:
    """0 promote, 3 reject, 5 inconclusive, 4 too many errors; 1 when the alias should have moved
    and did not.
    """
    if record["status"] == "failed":
        return 4
    return 1 if "promoted" in record and not record["promoted"] else CODES[record["verdict"]]


def _run(home: Path, config: Any, accept_cases: bool) -> dict[str, Any]:
    from llmops.flows.running import run_evaluation

    return run_evaluation(home, config, accept_cases=accept_cases)


def _settled(home: Path, config: Any, accept_cases: bool) -> tuple[Any, Any]:
    """Every mistake that can be found, before a server is started for it and before anything is
    paid or pushed.
    """
    from llmops.tasks.evaluation.prepare import begin

    trial, cases, _ = begin(home, config.evaluation_spec(), None, accept_cases=accept_cases)
    return trial, cases


def _planned(trial: Any, cases: Any) -> Answer:
    from llmops.tasks.evaluation.forecast import forecast

    found = forecast(trial, cases.cases)
    return Answer({**found}, lambda console: draw.forecast(console, found))


def _calibrated(home: Path, config: Any) -> Answer:
    from llmops.tasks.evaluation.calibration import calibrate

    found = calibrate(home, config.evaluation_spec())
    trusted = all(one["trusted"] for one in found["judges"].values())
    return Answer({**found}, lambda console: draw.calibration(console, found), 0 if trusted else 5)


def _writable(path: Path) -> None:
    """Said before anything is paid; leaves no empty file behind."""
    there = path.exists()
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    if not there:
        path.unlink()


def _write(path: Path, text: str) -> None:
    with _writing(path):
        path.write_text(text, encoding="utf-8")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    from llmops.tasks.errors import UsageError

    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", where="--junit"
        ) from error
