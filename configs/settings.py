"""Settings come from `LLMOPS_*` environment variables or `.env`; secrets only from there."""

import os
from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`LLMOPS_HOME` holds all local state."""

    model_config = SettingsConfigDict(env_prefix="LLMOPS_", extra="ignore")
    home: Path = Field(default=Path(".llmops"))

    @property
    def absolute_home(self) -> Path:
        return self.home.expanduser().absolute()


@cache
def load_env(folder: Path) -> None:
    """Add the lines `NAME=value` of `folder/.env` to the environment; what is set already wins."""
    from dotenv import dotenv_values

    file = folder / ".env"
    if file.is_file():
        for name, value in dotenv_values(file).items():
            if value is not None:
                os.environ.setdefault(name, value)


def settings() -> Settings:
    """The settings as the environment and `./.env` give them now."""
    load_env(Path.cwd())
    return Settings()
