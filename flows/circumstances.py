"""Errors of libraries that are no bugs, but a fault of where a command runs: what to tell its user
instead of a traceback.
"""

import os
from collections.abc import Iterator

from llmops.tasks.errors import LlmopsError, Unavailable, UsageError, disk_trouble

SETTINGS = "PREFECT_"
CORRECT = "correct it where it is set: in the environment, a Prefect profile or a prefect.toml"


def told(error: Exception) -> LlmopsError | None:
    """The same as an error with a remedy; None for what may be a bug."""
    return disk_trouble(error) or _memory_trouble(error) or _setting_trouble(error)


def _memory_trouble(error: Exception) -> LlmopsError | None:
    if not any(isinstance(each, MemoryError) for each in _causes(error)):
        return None
    return Unavailable(
        "this process gets no more memory",
        hint="end other programs or raise its limit (of ulimit, of a container); run again: "
        "finished work is kept, nothing live has changed",
    )


def _setting_trouble(error: Exception) -> LlmopsError | None:
    """A setting that Prefect refuses, wherever it is read first."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    for each in _causes(error):
        if isinstance(each, SettingsError):
            field = str(each).partition('field "')[2].partition('"')[0]
            return _refused(field, _variables(field), "it cannot be read")
        if isinstance(each, ValidationError):
            wrong = each.errors(include_url=False)[0]
            field = str(wrong["loc"][-1]) if wrong["loc"] else ""
            names = _variables(field, str(wrong["input"]))
            if names or each.title.endswith("Settings"):
                return _refused(field, names, wrong["msg"].removeprefix("Value error, "))
    return None


def _refused(field: str, names: list[str], said: str) -> UsageError:
    if len(names) != 1:
        return UsageError(f"Prefect's setting {field!r}: {said}", hint=CORRECT)
    (name,) = names
    got = f"got {os.environ[name][:100]!r}, "
    return UsageError(got + said[:1].lower() + said[1:], where=name, hint=CORRECT)


def _variables(field: str, value: str | None = None) -> list[str]:
    """The variables that may have set a field: named like it, else with that value."""
    ours = [name for name in sorted(os.environ) if name.startswith(SETTINGS)]
    named = [name for name in ours if name.endswith(f"_{field.upper()}")]
    if value is None:
        return named
    same = [name for name in ours if os.environ[name] == value]
    return [name for name in same if name in named] or same


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
