"""Settings come from `LLMOPS_*` environment variables or `.env`; secrets only from there.

A secret that stands in a config leaves it as soon as it is read: what is recorded, shown or sent on
holds its name alone.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import SECRET, digest

T = TypeVar("T")
KEYS = frozenset(
    {
        *("api_key", "bearer_token", "client_secret", "password", "token", "secret"),
        *("former_secret", "heartbeat"),
    }
)
SENDERS = frozenset({*KEYS, "url"})
"""Of senders, whose addresses hold tokens, as their headers do."""


class Settings(BaseSettings):
    """`home` holds all local state; `status` warns beyond `monthly_budget_usd`."""

    model_config = SettingsConfigDict(env_prefix="LLMOPS_", extra="ignore")
    home: Path = Field(default=Path(".llmops"))
    monthly_budget_usd: float | None = Field(default=None, ge=0)

    @property
    def absolute_home(self) -> Path:
        return self.home.expanduser().absolute()


@cache
def load_env(folder: Path) -> None:
    """Add the lines `NAME=value` of `folder/.env` to the environment; what is set already wins.
    Raises ConfigError where the file cannot be read.
    """
    for name, value in env_lines(folder).items():
        os.environ.setdefault(name, value)


def env_lines(folder: Path) -> dict[str, str]:
    """The lines `NAME=value` of `folder/.env`. Raises ConfigError where it cannot be read."""
    from dotenv import dotenv_values

    file = folder / ".env"
    if not file.is_file():
        return {}
    try:
        found = dotenv_values(file)
    except UnicodeDecodeError as error:
        mistake = Mistake("the file is not UTF-8 text", str(file), "save it as UTF-8")
        raise ConfigError([mistake]) from error
    except OSError as error:
        told = f"the file cannot be read: {error.strerror or error}"
        raise ConfigError([Mistake(told, str(file), "check its permissions")]) from error
    return {name: value for name, value in found.items() if value is not None}


def settings() -> Settings:
    """The settings as the environment and `./.env` give them now."""
    load_env(Path.cwd())
    return Settings()


def hidden(content: T, keys: frozenset[str] | None = KEYS) -> T:
    """The same config with every secret that is written out replaced by `${LLMOPS_SECRET_…}`, which
    this process knows from now on. `keys`: those of secrets; None: all are.
    """
    if isinstance(content, Mapping):
        return cast(T, {key: _hidden_at(key, value, keys) for key, value in content.items()})
    return (
        cast(T, [hidden(item, keys) for item in content]) if isinstance(content, list) else content
    )


def _hidden_at(key: object, value: object, keys: frozenset[str] | None) -> object:
    if isinstance(value, str):
        return _named(value) if keys is None or key in keys else value
    below = keys is not KEYS and key == "headers"
    return hidden(value, None if below else SENDERS if key == "senders" else keys)


def _named(value: str) -> str:
    if not value or SECRET.search(value):
        return value
    name = f"LLMOPS_SECRET_{digest(value)[:8].upper()}"
    os.environ[name] = value
    return f"${{{name}}}"
