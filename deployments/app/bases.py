"""The knowledge bases of an application: of which something is published, and what is wrong with
those of which nothing is.
"""

from dataclasses import replace
from pathlib import Path

from llmops.configs.serve import ServeConfig
from llmops.tasks.errors import ConfigError, Mistake, Unavailable, UsageError
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import open_ledger


def published(config: ServeConfig, home: Path) -> tuple[str, ...]:
    """Those that can be asked, in the config's order; all of them while the ledger does not answer:
    what is open goes on.
    """
    try:
        live = set(live_names(open_ledger(home)))
    except Unavailable:
        return config.knowledge_bases
    return tuple(name for name in config.knowledge_bases if name in live)


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
