"""What several commands share: options of one meaning, and the home that they work in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.ledger import Ledger
    from llmops.tasks.plugins import Spec
    from llmops.tasks.retrieval.modes import Mode

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file (YAML).")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set chunk.size=300"),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The knowledge base.")]
AnyName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="The knowledge base; not needed where there is one."),
]
Golden = Annotated[Path, typer.Option("--golden", help="A golden set (JSON lines).")]
Depth = Annotated[
    int, typer.Option("-k", min=1, max=1000, help="Documents looked at per question.")
]
ModeName = Annotated[str, typer.Option("--mode", help="hybrid, vector or text.")]
Vectors = Annotated[
    bool,
    typer.Option("--vectors", help="Compare every text and vector too, not only ids and hashes."),
]
Details = Annotated[bool, typer.Option("--details", help="List the ids.")]
Rerank = Annotated[
    list[str] | None,
    typer.Option(
        "--rerank",
        help="Also with the best passages reranked: overlap, or '{name: endpoint, base_url: …}'. "
        "Repeat for several.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do it; without it, the command only says what would go.")
]


def home() -> Path:
    """LLMOPS_HOME, absolute."""
    from llmops.configs.settings import settings

    return settings().absolute_home


def ledger() -> "Ledger":
    """The ledger of this home; an empty one in memory where there is none yet, so that a question
    leaves no trace.
    """
    from llmops.tasks.ledger import existing_ledger

    return existing_ledger(home())


def knowledge_base(name: str | None) -> "Handle":
    """The one of this name, or the only one. Raises UsageError where a name is needed."""
    from llmops.tasks.knowledge.handle import Handle

    if name is None:  # not "", which may stand where a command removes one
        name = the_only_base("name one of them after the command")
    return Handle(home=home(), name=name)


def no_base() -> str:
    """What to do in a home without a knowledge base: somebody may only stand in another folder."""
    return f"llmops index CONFIG builds one in {home()}; LLMOPS_HOME names another home"


def the_only_base(hint: str = "") -> str:
    """The knowledge base of a home that has one; of several, the only one that has a version.
    Raises UsageError.
    """
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.handle import known, live_names

    match live_names(ledger()) or known(ledger()):
        case [name]:
            return name
        case []:
            raise UsageError("there is no knowledge base yet", hint=no_base())
        case names:
            raise UsageError(
                f"there are {len(names)} knowledge bases: {', '.join(names)}",
                hint=hint or f"say which: --kb {names[0]}",
            )


def checked_mode(name: str) -> "Mode":
    """The value of `--mode`. Raises UsageError."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.retrieval.modes import MODES

    for mode in MODES:
        if mode == name:
            return mode
    raise UsageError(f"got --mode {name}, allowed: {', '.join(MODES)}")


def rerankers(values: "Sequence[str]") -> "list[Spec]":
    """The values of `--rerank`, each a name, or a YAML mapping as in a config. Raises
    ConfigError.
    """
    from llmops.configs.reading import plugin_mistakes
    from llmops.tasks.errors import ConfigError, Mistake
    from llmops.tasks.plugins import Spec
    from llmops.tasks.plugins.rerankers import Reranker
    from llmops.tasks.yaml_files import NoYaml, read_yaml

    entries: list[object] = []
    mistakes: list[Mistake] = []
    for value in values:
        try:
            entry = read_yaml(value)
        except NoYaml as error:
            mistakes.append(Mistake(f"{value!r} is no YAML: {error}", where="--rerank"))
            continue
        entries.append(entry)
        mistakes += plugin_mistakes(entry, Reranker, "--rerank")
    if mistakes:
        raise ConfigError(mistakes)
    return [Spec.model_validate(entry) for entry in entries]
