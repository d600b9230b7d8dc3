"""How every command answers: one JSON object or a short summary, an exit code, and errors that say how to fix them."""

import functools
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from tasks.errors import LlmopsError, Mistake

# Typer carries a click of its own since 0.20 or so: the base of its errors is reached through one that it exports.
WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
Summary = Callable[[Any], object]


@dataclass(frozen=True)
class Answer:
    """What a command found: `data` is the JSON object, `summary` draws the same for people on a Rich console."""

    data: dict[str, Any]
    summary: Summary = field(default=lambda console: None)
    exit_code: int = 0


@dataclass(frozen=True)
class Voice:
    """How much a command says, and in which form."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False


OPTIONS = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")],
    "quiet": Annotated[bool, typer.Option("--quiet", help="Print errors only.")],
    "verbose": Annotated[bool, typer.Option("--verbose", help="Show the log of the run.")],
}


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function as a command that also takes --json, --quiet and --verbose."""

    def register(function: Callable[..., Answer]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, as_json: bool = False, quiet: bool = False, verbose: bool = False, **options: Any) -> None:
            voice = Voice(as_json, quiet, verbose)
            settle(voice)
            say(function(*args, **options), voice)

        signature = inspect.signature(function)
        extra = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind) for key, kind in OPTIONS.items()]
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])  # type: ignore[attr-defined]
        run.__annotations__ = {**function.__annotations__, **OPTIONS}
        app.command(name)(run)
        return run

    return register


def settle(voice: Voice) -> None:
    """Keep libraries quiet, or let them speak on standard error."""
    import logging
    import os

    level = "INFO" if voice.verbose else "ERROR"
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = level
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)  # of the handler: libraries set the levels of their own loggers
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().handlers[:] = [handler]


def say(answer: Answer, voice: Voice) -> None:
    """Print an answer and end with its exit code."""
    if voice.json:
        sys.stdout.write(json.dumps(answer.data, ensure_ascii=False, default=str) + "\n")
    elif not voice.quiet:
        from rich.console import Console

        answer.summary(Console(highlight=False, soft_wrap=True))
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def main(app: typer.Typer) -> int:
    """Run the app; every way to end becomes an exit code of the contract."""
    as_json = "--json" in sys.argv
    try:
        result = app(standalone_mode=False)
        return result if isinstance(result, int) else 0
    except LlmopsError as error:
        _report(error.mistakes(), as_json)
        return error.exit_code
    except typer.Exit as ended:
        return int(ended.exit_code)
    except WRONG_USAGE as error:
        if as_json:
            _report([Mistake(error.format_message(), kind="usage", hint="see --help")], as_json)  # type: ignore[attr-defined]
        else:
            error.show()  # type: ignore[attr-defined]
        return 2
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("Interrupted. Nothing live has changed; the same command continues where it stopped.\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 - the last stop: a bug, shown with its traceback
        traceback.print_exc()
        if as_json:
            _report([Mistake(f"{type(error).__name__}: {error}", kind="bug", hint="please report this with the traceback")], as_json)
        return 1


def _report(mistakes: list[Mistake], as_json: bool) -> None:
    shapes = [{"kind": m.kind, "message": m.message, "hint": m.hint, "where": m.where} for m in mistakes]
    if as_json:
        sys.stdout.write(json.dumps({"error": shapes[0]} if len(shapes) == 1 else {"errors": shapes}, ensure_ascii=False) + "\n")
        return
    for mistake in mistakes:
        place = f"{mistake.where}: " if mistake.where else ""
        sys.stderr.write(f"Error: {place}{mistake.message}\n" + (f"  {mistake.hint}\n" if mistake.hint else ""))
