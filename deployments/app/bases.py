"""The knowledge bases of an application before it starts: whether each can be read at all."""

from dataclasses import replace
from pathlib import Path

from llmops.configs.serve import ServeConfig
from llmops.tasks.errors import ConfigError, Mistake, UsageError
from llmops.tasks.knowledge.handle import Handle


def unpublished(config: ServeConfig, home: Path) -> list[Mistake]:
    """A mistake for each knowledge base without a published version: misspelt, or never built."""
    wrong = []
    for number, name in enumerate(config.knowledge_bases):
        try:
            Handle(home=home, name=name).published()
        except UsageError as error:
            place = f"knowledge_bases[{number}]"
            wrong += [replace(each, where=place) for each in error.mistakes()]
    return wrong


def all_published(config: ServeConfig, home: Path) -> None:
    """Raises ConfigError where there is nothing to answer from: whoever starts it by hand wants to
    know that at once.
    """
    if wrong := unpublished(config, home):
        hint = f"{wrong[-1].hint}; `llmops serve --wait` starts all the same"
        raise ConfigError([*wrong[:-1], replace(wrong[-1], hint=hint)])
