"""Reading the config of an evaluation: every mistake at once, also of its cases, prompts, prices
and scorers.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmops.configs import plugin_mistakes
from llmops.configs.evaluation import EvaluateConfig
from llmops.configs.mistakes import explain, joined
from llmops.configs.reading import apply, load_yaml
from llmops.configs.secrets import hidden
from llmops.configs.settings import load_env
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.scorers import Scorer

REGISTRY = "prompts:/"


def read_evaluation(path: Path, overrides: Iterable[str] = ()) -> EvaluateConfig:
    """The config in a YAML file, with `key.path=value` overrides applied. Raises ConfigError with
    every mistake.

    Prompts in the registry and knowledge bases are looked up later: see
    tasks/evaluation/prepare.py.
    """
    load_env(path.absolute().parent)
    content = hidden(apply(load_yaml(path), overrides, {}))
    if content.get("flow") != "evaluate":
        raise ConfigError(
            [
                Mistake(
                    f"got flow: {content.get('flow')!r}, wanted: evaluate",
                    where=f"{path}: flow",
                    hint="llmops index runs a config with `flow: index`",
                )
            ]
        )
    found = [
        mistake
        for kind, key, entry in _slots(content)
        for mistake in plugin_mistakes(entry, kind, joined(str(path), key))
    ]
    try:
        config = EvaluateConfig.model_validate({**content, "folder": path.absolute().parent})
    except ValidationError as error:
        own = explain(error, EvaluateConfig, str(path), raw=content)
        raise ConfigError(
            [one for one in own if not any(one.where.startswith(x.where) for x in found)] + found
        ) from error
    found += _file_mistakes(config, str(path))
    if found:
        raise ConfigError(found)
    return config


def _slots(content: dict[str, Any]) -> Iterator[tuple[type[Plugin], list[int | str], object]]:
    """Every place of a config that names a plugin, as far as its shape lets one look."""
    for number, entry in enumerate(_list(content.get("scorers"))):
        yield Scorer, ["scorers", number], entry
    arms = content.get("arms")
    for name, arm in arms.items() if isinstance(arms, dict) else ():
        if isinstance(arm, dict) and "llm" in arm:
            yield Llm, ["arms", str(name), "llm"], arm["llm"]
    grid = content.get("grid")
    for number, entry in enumerate(_list(grid.get("llm")) if isinstance(grid, dict) else []):
        yield Llm, ["grid", "llm", number], entry


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _file_mistakes(config: EvaluateConfig, where: str) -> list[Mistake]:
    from llmops.tasks.calls.prices import read_prices
    from llmops.tasks.evaluation.cases import read_cases
    from llmops.tasks.prompts.reading import read_prompt

    readers: list[tuple[Any, Path, str]] = [(read_cases, config.folder / config.cases, "cases")]
    readers += [(read_prices, config.folder / config.prices, "prices")] if config.prices else []
    readers += [
        (read_prompt, config.folder / wish.prompt, f"arms.{name}.prompt")
        for name, wish in config.wishes().items()
        if not wish.prompt.startswith(REGISTRY)
    ]
    found: list[Mistake] = []
    for reader, file, key in readers:
        if not file.is_file():
            found.append(Mistake(f"no such file: {file}", where=f"{where}: {key}"))
            continue
        try:
            reader(file)
        except ConfigError as error:
            found += [one for one in error.found if one not in found]
    return found
