"""Reading the config of any flow: every mistake at once, before anything runs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from llmops.configs.mistakes import explain, joined
from llmops.configs.section import FlowConfig, absent, places
from llmops.configs.settings import hidden, load_env
from llmops.tasks.errors import ConfigError, Mistake, Unavailable, UsageError
from llmops.tasks.plugins import Plugin, Spec, find
from llmops.tasks.yaml_files import NoYaml, parsed, read_yaml, text_of, wrong

BEGINNING = "a config begins with a line such as `flow: index`"
LINES = (".jsonl", ".ndjson")
Content = dict[str, object]
"""What the file of a config says, before a model has looked at it."""
BARE_CRON = re.compile(r"\bcron\s*:\s*(?P<cron>[*?@][^,}\n#]*)")
"""What begins so is something else to YAML."""
C = TypeVar("C", bound=FlowConfig)


class FlowKind(NamedTuple):
    """A flow: its model in `configs/<flow>.py`, and the command that runs it."""

    model: str
    command: str


FLOWS = {
    "index": FlowKind("IndexConfig", "llmops index"),
    "evaluate": FlowKind("EvaluateConfig", "llmops evaluate"),
    "nightly": FlowKind("NightlyConfig", "llmops nightly"),
    "compare": FlowKind("CompareConfig", "llmops kb compare"),
    "serve": FlowKind("ServeConfig", "llmops serve"),
    "score": FlowKind("ScoreConfig", "llmops score"),
    "feedback": FlowKind("FeedbackConfig", "llmops feedback"),
    "finetune": FlowKind("FinetuneConfig", "llmops finetune"),
    "train": FlowKind("TrainConfig", "llmops train"),
    "alerts": FlowKind("AlertsConfig", "llmops alerts"),
    "monitor": FlowKind("MonitorConfig", "llmops monitor"),
    "maintain": FlowKind("MaintainConfig", "llmops maintain"),
}


def read(path: Path, model: type[C], overrides: Iterable[str] = (), *, outside: bool = False) -> C:
    """The config in a YAML file, with `key.path=value` overrides applied, secrets hidden and short
    forms written out. Raises ConfigError with every mistake, also of its plugins and files, and
    where `outside` is wanted with all that it would read and that never existed.
    """
    folder = path.absolute().parent
    load_env(folder)
    content = apply(load_yaml(path), overrides, model.default_plugins())
    if "folder" in content:
        hint = "relative paths start at the config file's folder"
        mistake = Mistake("unknown key 'folder'", where=f"{path}: folder", hint=hint)
        return _checked(content, model, str(path), folder, [mistake], outside)
    return _checked(content, model, str(path), folder, [], outside)


def read_mapping(content: Mapping[str, object], model: type[C]) -> C:
    """The config that a mapping holds as a file would; relative paths start at its `folder`, else
    at the current one. The key `flow` may be missing. Raises ConfigError as `read` does.
    """
    folder = Path(str(content.get("folder", ""))).absolute()
    load_env(folder)
    given = {"flow": model.flow_name(), **content}
    given.pop("folder", None)
    return _checked(given, model, "config", folder, [])


def _checked(
    given: Content,
    model: type[C],
    where: str,
    folder: Path,
    found: list[Mistake],
    outside: bool = False,
) -> C:
    content = hidden(_named(_taken_out(given, model.within), model.default_plugins()))
    _place(content, model, folder)
    _check_flow(content, model.flow_name(), where)
    found = [*_plugin_mistakes(content, model, where), *found]
    try:
        config = model.model_validate({**content, "folder": folder})
    except ValidationError as error:
        own = explain(error, model, where, raw=content)
        told = tuple(mistake.where for mistake in found)
        found = [*(mistake for mistake in own if not mistake.where.startswith(told)), *found]
        found += _file_mistakes(content, model, folder, where)
        if outside:
            with suppress(Unavailable):
                found += absent(content, model, folder, where)
        raise ConfigError(found) from error
    together = [] if found else config.conflicts(where)
    found += [*_file_mistakes(config, model, folder, where), *together]
    if outside:
        with suppress(*([Unavailable] if found else [])):
            found += config.never_existed(where)
    if found:
        raise ConfigError(found)
    return config


def load_yaml(path: Path) -> Content:
    """The mapping in a YAML file. Raises ConfigError when it is not one, with line and column where
    YAML knows them.
    """
    if path.suffix in LINES and path.is_file():
        raise wrong(path, "this is a file of JSON lines, a config is wanted", BEGINNING)
    text = text_of(path, "a config file")
    content = parsed(path, text, _quoting(text))
    if content is None:
        raise wrong(path, "the file is empty", BEGINNING)
    if not isinstance(content, dict):
        raise wrong(path, f"a mapping of keys is wanted, got a {type(content).__name__}", BEGINNING)
    return content


def named_in(path: Path) -> tuple[str, str]:
    """(flow, name) that a file gives, also where the rest of it is wrong; empty where it does
    not.
    """
    try:
        content = load_yaml(path)
    except ConfigError:
        return "", ""
    flow, *names = [content.get(key) for key in ("flow", "knowledge_base", "name", "app")]
    name = next((name for name in names if isinstance(name, str)), "")
    return (flow if isinstance(flow, str) else ""), name


def _quoting(text: str) -> str:
    """What may be the cause where a text is no YAML."""
    if bare := BARE_CRON.search(text):
        return f'write it in quotes: cron: "{bare["cron"].strip()}"'
    return 'inside {…} write it in quotes: "${NAME}"' if "${" in text else ""


def apply(content: Content, changes: Iterable[str], defaults: Mapping[str, Spec]) -> Content:
    """Apply `chunk.size=300`, `sources.0.path=docs`; values are read as YAML. `defaults`: what a
    key holds that is not written. Raises ConfigError.
    """
    for change in changes:
        path, sign, value = change.partition("=")
        keys = path.split(".")
        if not sign or not all(keys):
            raise _wrong_change(f"got {change!r}, wanted key.path=value", "--set chunk.size=300")
        if len(keys) > 1 and keys[0] in defaults:
            content.setdefault(keys[0], defaults[keys[0]].short())
        try:
            _assign(content, keys, read_yaml(value))
        except NoYaml as error:
            raise _wrong_change(
                f"the value of {change!r} is not valid YAML",
                "quote it twice: --set 'key=\"value\"'",
            ) from error
        except (ValueError, IndexError, TypeError) as error:
            raise _wrong_change(
                f"{change!r} does not fit the config", "lists take numbers: sources.0.path=…"
            ) from error
    return content


def _wrong_change(message: str, hint: str) -> ConfigError:
    return ConfigError([Mistake(message, where="--set", hint=hint)])


def _assign(content: object, keys: list[str], value: object) -> None:
    """Raises ValueError, IndexError or TypeError where the keys lead nowhere."""
    key, *below = keys
    if isinstance(content, list):
        index = int(key)
        content[index] = value if not below else _opened(content[index])
        inner = content[index]
    elif isinstance(content, dict):
        content[key] = value if not below else _opened(content.get(key, {}))
        inner = content[key]
    else:
        raise TypeError(f"{key} is no key of {content!r}")
    if below:
        _assign(inner, below, value)


def _opened(value: object) -> object:
    """A plugin's name alone, such as `chunk: sentence`, written out so that options fit in."""
    return {"name": value} if isinstance(value, str) else value


def _named(content: Content, defaults: Mapping[str, Spec]) -> Content:
    """`chunk: {size: 100}` means the default chunker."""
    for key, default in defaults.items():
        entry = content.get(key)
        if isinstance(entry, dict) and "name" not in entry:
            content[key] = {"name": default.name, **entry}
    return content


def _taken_out(content: Content, within: Mapping[str, Sequence[str]]) -> Content:
    """`train: {name: …, gate: …}` says what the key `gate` beside it would say."""
    for key, names in within.items():
        entry = content.get(key)
        if isinstance(entry, dict):
            inner = {name: entry[name] for name in names if name in entry}
            rest = {name: value for name, value in entry.items() if name not in inner}
            content = {**content, key: rest, **inner}
    return content


def _place(content: Content, model: type[FlowConfig], folder: Path) -> None:
    """Options of plugins that name a file or a folder beside the config are made absolute, for
    whoever runs from elsewhere. What lies in the current folder, or is a name in a hub, stays.
    """
    for pattern, family in model.plugins.items():
        for _, entry in places(content, pattern):
            if not isinstance(entry, dict):
                continue
            inner = entry["options"] if isinstance(entry.get("options"), dict) else entry
            for option in _paths(family, str(entry.get("name"))):
                value = inner.get(option)
                if isinstance(value, str) and value and _names_file(value):
                    there = folder / value
                    inner[option] = str(there) if there.exists() else value


def _paths(family: type[Plugin], name: str) -> tuple[str, ...]:
    """None of a plugin that does not exist, which is told elsewhere."""
    try:
        return find(family.family, name).paths
    except UsageError:
        return ()


def _check_flow(content: Content, wanted: str, where: str) -> None:
    flow = content.get("flow")
    if flow == wanted:
        return
    message, hint = f"got {flow!r}, allowed: {', '.join(FLOWS)}", BEGINNING
    if "flow" not in content:
        message = "the key 'flow' is missing"
    elif isinstance(flow, str) and flow in FLOWS:
        message = f"got flow: {flow!r}, wanted: {wanted}"
        hint = f"{FLOWS[flow].command} runs it"
    raise ConfigError([Mistake(message, where=f"{where}: flow", hint=hint)])


def _plugin_mistakes(content: Content, model: type[FlowConfig], where: str) -> list[Mistake]:
    return [
        mistake
        for pattern, family in model.plugins.items()
        for place, entry in places(content, pattern)
        if entry is not None or pattern.endswith("*")
        for mistake in plugin_mistakes(entry, family, joined(where, place))
    ]


def plugin_mistakes(entry: object, family: type[Plugin], where: str) -> list[Mistake]:
    """What is wrong with one plugin's entry; none when it can be built."""
    try:
        spec = Spec.model_validate(entry)
    except ValidationError:
        return [
            Mistake(
                f"a plugin's name is wanted, got {entry!r}",
                where=where,
                hint="write {name: …, option: …}",
                kind="plugin",
            )
        ]
    try:
        spec.build(family)
    except ConfigError as error:
        return [
            Mistake(
                m.message,
                where=f"{where}.{m.where}" if m.where else where,
                hint=m.hint,
                kind=m.kind,
            )
            for m in error.found
        ]
    except ValidationError as error:
        plugin = find(family.family, spec.name)
        return explain(error, plugin, f"{where}.", raw=spec.options)
    return []


def _file_mistakes(
    content: object, model: type[FlowConfig], folder: Path, where: str
) -> list[Mistake]:
    """Files that are missing or wrong, of a config or of what its file says."""
    found: list[Mistake] = []
    for pattern, reader in model.files.items():
        for place, name in places(content, pattern):
            names = name if isinstance(name, tuple | list) else (name,)
            if str(name).startswith(model.elsewhere) or not all(map(_names_file, names)):
                continue
            files = [folder / str(each) for each in names]
            absent = [file for file in files if not file.is_file()]
            found += [Mistake(f"no such file: {each}", joined(where, place)) for each in absent]
            try:
                if not absent:
                    reader(*files)
            except ConfigError as error:
                found += error.found
    return list(dict.fromkeys(found))


def _names_file(name: object) -> bool:
    """False for what is no name of a file, which its model says."""
    return isinstance(name, str | Path) and "\0" not in str(name)
