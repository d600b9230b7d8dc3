"""How every command answers: one JSON object or a short summary, an exit code, and errors that say
how to fix them.

A command is a function with Typer's options that returns `answer(data, draw)`, under
`@command(app, "name")`; cli.py gives its `app` a place.
"""

import contextlib
import functools
import inspect
import io
import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from llmops.flows import circumstances
from llmops.flows.interrupts import INTERRUPTED, InterruptWatch
from llmops.tasks import progress
from llmops.tasks.errors import LIVE, LlmopsError, Mistake
from llmops.tasks.stopping import Stopped

if TYPE_CHECKING:
    from rich.console import Console

# Typer carries a click of its own since 0.20 or so: the base of its errors is reached through one
# that it exports.
WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
Data = TypeVar("Data", bound=Mapping[str, object])


@dataclass(frozen=True)
class Answer:
    """What a command has to say: `data` is the JSON object, `summary` draws the same for people on
    a Rich console.
    """

    data: Mapping[str, object]
    summary: Callable[["Console"], object] = field(default=lambda _console: None)
    exit_code: int = 0


def answer(data: Data, draw: Callable[["Console", Data], object], exit_code: int = 0) -> Answer:
    """The answer of a command whose data `draw` shows to people."""
    return Answer(data, lambda console: draw(console, data), exit_code)


def line(text: str) -> Callable[["Console", Mapping[str, object]], object]:
    """Draws data that a sentence or two sums up."""
    return lambda console, _data: console.print(text, markup=False)


@dataclass(frozen=True)
class Voice:
    """How much a command says, and in which form."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False


OPTIONS = {
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", help="Print errors only.")],
    "verbose": Annotated[bool, typer.Option("--verbose", help="Show the log of the run.")],
}


def command(
    app: typer.Typer, name: str, *, long: bool = False, tells: bool = False
) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function as a command that also takes --json, --quiet and --verbose. A `long` one
    shows how far it is, and ends in order at Ctrl-C; one that `tells` prints as it goes, so that no
    live lines fit below.
    """

    def register(function: Callable[..., Answer]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *args: Any,
            as_json: bool = False,
            quiet: bool = False,
            verbose: bool = False,
            **options: Any,
        ) -> None:
            voice = Voice(as_json, quiet, verbose)
            with attended(voice, tells) if long else contextlib.nullcontext():
                settle(voice)
                answered = function(*args, **options)
            say(answered, voice)

        signature = inspect.signature(function)
        extra = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for key, kind in OPTIONS.items()
        ]
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])  # type: ignore[attr-defined]
        run.__annotations__ = {**function.__annotations__, **OPTIONS}
        app.command(name)(run)
        return run

    return register


@contextlib.contextmanager
def attended(voice: Voice, tells: bool = False) -> Iterator[None]:
    """While a long command runs: its progress on standard error, and what Ctrl-C does."""
    from llmops.flows.progress import shown

    board = progress.Board()
    LIVE.clear()
    with shown(board, quiet=voice.quiet, plain=voice.verbose or tells) as display:

        def leave() -> None:
            closing = threading.Thread(target=display.close, daemon=True)
            closing.start()
            closing.join(0.3)
            _report([_stopped()], voice.json)

        if threading.current_thread() is not threading.main_thread():
            with progress.watched(board):
                yield
            return
        with InterruptWatch(display.say, leave).watching(), progress.watched(board):
            yield


def settle(voice: Voice) -> None:
    """Keep libraries quiet, or let them speak on standard error."""
    import logging
    import os

    level = "INFO" if voice.verbose else "ERROR"
    chatty = (
        () if voice.verbose else ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
    )  # their errors are raised, and reported once
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO" if voice.verbose else "CRITICAL"
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)  # of the handler: libraries set the levels of their own loggers
    handler.addFilter(lambda record: not record.name.startswith(chatty))
    handler.addFilter(lambda record: not _interrupted((record.exc_info or (None, None))[1]))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().handlers[:] = [handler]


def say(answer: Answer, voice: Voice) -> None:
    """Print an answer and end with its exit code."""
    if voice.json:
        sys.stdout.write(json.dumps(answer.data, ensure_ascii=False, default=str) + "\n")
    elif not voice.quiet:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True, emoji=False)
        answer.summary(console)
        if told := answer.data.get("scheduled"):
            console.print(f"  {'schedule':<11} {told}", markup=False)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def main(app: typer.Typer) -> int:
    """Run the app; every way to end becomes an exit code of the contract."""
    as_json = "--json" in sys.argv
    _prepare(as_json)
    try:
        result = app(standalone_mode=False)
    except (KeyboardInterrupt, Stopped, typer.Abort):
        result = INTERRUPTED
    except typer.Exit as ended:
        result = ended.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 - the last stop
        if not _interrupted(error):
            return _failed(error, as_json)
        result = INTERRUPTED
    if result == INTERRUPTED:  # Typer itself turns an interrupt into this code
        _report([_stopped()], as_json)
    return result if isinstance(result, int) else 0


def _stopped() -> Mistake:
    """What is said after Ctrl-C."""
    live = "; ".join(LIVE.values()) or "nothing live has changed"
    hint = f"{live}; the same command continues where it stopped"
    return Mistake("interrupted", kind="interrupted", hint=hint)


def _interrupted(error: BaseException | None) -> bool:
    """Whether a signal is behind an error: one that comes while Prefect prepares a task turns into
    an error of Prefect's.
    """
    while error is not None:
        interrupts = (KeyboardInterrupt, Stopped)
        if isinstance(error, interrupts) or type(error).__name__ == "TerminationSignal":
            return True
        error = error.__cause__ or error.__context__
    return False


def _prepare(as_json: bool) -> None:
    """SIGTERM ends a command like Ctrl-C does; output never fails for a character, and JSON is
    UTF-8 everywhere.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # it may be that of entry.py
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            encoding="utf-8" if as_json else sys.stdout.encoding, errors="backslashreplace"
        )


def _failed(error: Exception, as_json: bool) -> int:
    """Report an error and return its exit code; a traceback only for what nobody expected: a
    bug.
    """
    error = circumstances.told(error) or error
    if isinstance(error, LlmopsError):
        _report(error.mistakes(), as_json)
        return error.exit_code
    if isinstance(error, WRONG_USAGE):
        if as_json:
            _report([Mistake(error.format_message(), kind="usage", hint="see --help")], as_json)  # type: ignore[attr-defined]
        else:
            error.show()  # type: ignore[attr-defined]
        return 2
    traceback.print_exception(error)
    if as_json:
        _report(
            [
                Mistake(
                    f"{type(error).__name__}: {error}",
                    kind="bug",
                    hint="please report this with the traceback",
                )
            ],
            as_json,
        )
    return 1


def _report(mistakes: list[Mistake], as_json: bool) -> None:
    shapes = [
        {"kind": m.kind, "message": m.message, "hint": m.hint, "where": m.where} for m in mistakes
    ]
    if as_json:
        stopped = (
            {"status": "blocked", "reason": mistakes[0].message, "hint": mistakes[0].hint}
            if mistakes[0].kind == "blocked"
            else {}
        )
        told = {"error": shapes[0]} if len(shapes) == 1 else {"errors": shapes}
        sys.stdout.write(json.dumps({**stopped, **told}, ensure_ascii=False) + "\n")
        return
    for mistake in mistakes:
        place = f"{mistake.where}: " if mistake.where else ""
        sys.stderr.write(
            f"Error: {place}{mistake.message}\n" + (f"  {mistake.hint}\n" if mistake.hint else "")
        )
