"""One mechanism for all plugin families: a plugin is a frozen pydantic model, its fields are its
options.

`{name: sentence, size: 200}` in a config names `tasks/plugins/chunkers/sentence.py`, and imports
only that file. Third parties register classes under the entry point group `llmops.<family>`.
"""

import hashlib
import importlib
import json
import os
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from importlib.util import find_spec
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops.tasks.errors import ConfigError, Mistake, did_you_mean
from llmops.tasks.plugins.spellings import spelling

FAMILIES = (
    *("sources", "parsers", "cleaners", "chunkers", "embedders", "rerankers"),
    *("stores", "llms", "scorers", "collectors", "scrubbers", "exporters", "trainers"),
    "senders",
)
SECRET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Plugin(BaseModel):
    """Base of every plugin. Constructors do no I/O; heavy libraries are imported by the methods
    that need them.

    `requires` maps a module that the plugin imports to the command that installs it. `paths` are
    the options that may name a file or a folder: a relative one starts at the config. `revision` is
    raised when the same options begin to give another result, so that caches notice. `former` is
    what fingerprints called the plugin under another name: set, it keeps what was paid for under
    that one.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), hide_input_in_errors=True
    )
    requires: ClassVar[Mapping[str, str]] = {}
    paths: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[str]
    revision: ClassVar[int] = 1
    former: ClassVar[str] = ""

    @classmethod
    def spelling(cls) -> str:
        """What fingerprints call the plugin: it follows from family and name alone, so code may
        move and classes be renamed.
        """
        return cls.former or spelling(
            cls.family,
            name_of(cls),
            built_in=cls.__module__.startswith(f"{__name__}.{cls.family}."),
        )

    def fingerprint(self) -> str:
        """What the plugin's output depends on: family, name, revision and options, as 16
        hexadecimal digits.
        """
        return digest(f"{self.spelling()}/{self.revision}", self.model_dump_json())


P = TypeVar("P", bound=Plugin)


class Spec(BaseModel):
    """A plugin's name and options as the config gives them: small, serialisable, free of secrets
    and clients.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if (
            isinstance(value, Mapping) and "name" in value and set(value) - {"name", "options"}
        ):  # an option may be called `options`
            return {
                "name": value["name"],
                "options": {k: v for k, v in value.items() if k != "name"},
            }
        return value

    def build(self, base: type[P]) -> P:
        """Construct the plugin of the family of `base`, with secrets filled in from the
        environment.

        Raises pydantic's ValidationError for wrong options, ConfigError for an unknown name or a
        missing library.
        """
        plugin = find(base.family, self.name)
        if not issubclass(plugin, base):
            raise ConfigError(
                [
                    Mistake(
                        f"{plugin.__qualname__} is not a {base.__name__}",
                        where=f"{base.family}: {self.name}",
                    )
                ]
            )
        return plugin.model_validate(reveal(self.options))

    def __hash__(self) -> int:
        """Specs stand in settings that are looked up by value; their options are no hashable
        mapping.
        """
        return hash((self.name, canonical(self.options)))

    @property
    def id(self) -> str:
        """What tells this plugin from others of its name in a list: the option `id`, else the
        name.
        """
        return str(self.options.get("id") or self.name)

    def short(self) -> dict[str, Any]:
        """The form that configs use: the name beside the options."""
        return {"name": self.name, **self.options}


def digest(*parts: str) -> str:
    """A stable short hash of strings; the separator keeps ("ab", "c") and ("a", "bc") apart."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def canonical(value: object) -> str:
    """JSON with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def reveal(value: object) -> object:
    """The same value with every `${NAME}` replaced from the environment. Raises ConfigError naming
    what is missing.
    """
    if isinstance(value, str):
        missing = sorted({name for name in SECRET.findall(value) if name not in os.environ})
        if missing:
            raise ConfigError(
                [
                    Mistake(
                        f"the environment variable {name} is not set",
                        hint=f"export {name}=…, or put it into .env beside the config",
                        kind="secret",
                    )
                    for name in missing
                ]
            )
        return SECRET.sub(lambda match: os.environ[match[1]], value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


@cache
def external(family: str) -> dict[str, EntryPoint]:
    """The plugins of a family that installed packages register."""
    return {point.name: point for point in registered().select(group=f"llmops.{family}")}


@cache
def registered() -> EntryPoints:
    """Those of all families and of other libraries: a look goes through all that is installed."""
    return cast("EntryPoints", entry_points())  # in 3.11 another class with the same method


@cache
def name_of(plugin: type[Plugin]) -> str:
    """The name by which configs choose a plugin; the name of its class where none does."""
    here = f"{__name__}.{plugin.family}."
    if plugin.__module__.startswith(here):
        return plugin.__module__.removeprefix(here).partition(".")[0]
    place = f"{plugin.__module__}:{plugin.__qualname__}"
    return next(
        (name for name, point in external(plugin.family).items() if point.value == place),
        plugin.__qualname__,
    )


@cache
def names(family: str) -> list[str]:
    """The names that a config may use in a family, without importing any of them."""
    package = importlib.import_module(f"{__name__}.{family}")
    own = (
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    )
    return sorted({*own, *external(family)})


@cache
def find(family: str, name: str) -> type[Plugin]:
    """The plugin class behind a name. Raises ConfigError for an unknown name or a missing
    library.
    """
    if name not in names(family):
        known = ", ".join(names(family))
        hint = did_you_mean(name, names(family)) or f"`llmops plugins list {family}` describes them"
        raise ConfigError(
            [
                Mistake(
                    f"unknown name {name!r} among the {family}; allowed: {known}",
                    hint=hint,
                    kind="plugin",
                )
            ]
        )
    plugin = load(family, name)
    if absent := lacking(plugin):
        raise ConfigError(
            [
                Mistake(
                    f"{name} needs a library that is not installed",
                    hint=f"install it: {command}",
                    kind="library",
                )
                for command in absent
            ]
        )
    return plugin


def lacking(plugin: type[Plugin]) -> list[str]:
    """The commands that install what a plugin requires and this environment does not have."""
    wanted = plugin.requires.items()
    return [*dict.fromkeys(command for module, command in wanted if find_spec(module) is None)]


def load(family: str, name: str) -> type[Plugin]:
    """The plugin class behind a name of `names`, also where its library is missing. Raises
    ConfigError where there is no such class.
    """
    if name in external(family):
        loaded = external(family)[name].load()
        if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
            raise ConfigError(
                [
                    Mistake(
                        f"the entry point llmops.{family}:{name} is not a Plugin class",
                        kind="plugin",
                    )
                ]
            )
        return loaded
    module = importlib.import_module(f"{__name__}.{family}.{name}")
    own = [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Plugin)
        and item.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise ConfigError(
            [
                Mistake(
                    f"the plugin {name} of the {family} holds {len(own)} plugin classes; "
                    f"one is wanted",
                    kind="plugin",
                )
            ]
        )
    return own[0]
