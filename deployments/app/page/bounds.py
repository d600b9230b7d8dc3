"""What a config that is made in the page may reach: folders of the project, hosts that the
application's config names, and nothing that somebody else's labels close.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from llmops.deployments.app.page.forms import PluginForm, form_of
from llmops.tasks.errors import ConfigError, Mistake

GUARDED = {
    "sources": ("reader",),
    "chunkers": ("node_parser",),
    "embedders": ("llamaindex",),
}
"""Plugins that run whatever code an import path names."""
PATHS = {
    ("files", "path"),
    ("jsonl", "path"),
    ("mail", "path"),
    ("git", "repository"),
    ("openai", "tokenizer"),
}
"""Options that are paths, by plugin; those that a plugin declares as such are known from it."""
PATTERNS = ("include", "exclude")
OWN_GUARD = {("web", "start"), ("web", "sitemaps")}
"""Addresses that the plugin asks only where they are the internet's."""
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
HOST_PATH = re.compile(r"[^/\\]*@[^/\\]+:|[A-Za-z0-9.-]+\.[A-Za-z]{2,}:")
"""As git takes them: git@host:path, host.example:path."""


class SourceRule(NamedTuple):
    """Where a source of some config of the project reads, and who may read that. `labels`: None
    where documents name their own.
    """

    file: str
    places: tuple[str, ...]
    labels: frozenset[str] | None


@dataclass(frozen=True)
class Bounds:
    """`folder`: of the config, where relative paths begin; `folders`: those that may be read;
    `home`: never; `labels`: of whoever chooses.
    """

    file: str
    folder: Path
    folders: tuple[Path, ...]
    home: Path
    hosts: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    rules: tuple[SourceRule, ...] = ()

    def offers(self, family: str, name: str) -> bool:
        """Whether a plugin may be chosen."""
        return name not in GUARDED.get(family, ()) or name in self.plugins

    def mistakes(self, family: str, entry: Mapping[str, Any], place: str) -> list[Mistake]:
        """What an entry reaches for and may not. `place`: where it stands, such as `sources[0]`."""
        name = str(entry.get("name", ""))
        if not self.offers(family, name):
            hint = "whoever runs the application may allow it: build: {plugins: […]}"
            return [Mistake(f"{name} runs code by its name, which is not chosen here", place, hint)]
        try:
            form = form_of(family, name)
        except ConfigError:
            return []  # the check says that there is no such plugin
        found = []
        for path, value in strings({k: v for k, v in entry.items() if k != "name"}):
            field = path.partition(".")[0].partition("[")[0]
            if why := self._why(form, field, value):
                found.append(Mistake(why, f"{place}.{path}"))
        if entry.get("allow_private"):
            told = "addresses of this machine and its networks are not asked from here"
            found.append(Mistake(told, f"{place}.allow_private"))
        if family == "sources" and not found and (why := self._closed(name, entry)):
            found.append(Mistake(why, f"{place}.labels"))
        return found

    def _why(self, form: PluginForm, field: str, value: str) -> str:
        """Why a text may not stand in a field; "" where it may."""
        of = form.field(field)
        if of is not None and of.kind == "secret":
            return ""  # a name of a variable, as `forms` has seen to
        if "${" in value:
            return "variables are for secrets alone; write the value itself"
        is_path = (form.name, field) in PATHS or (of is not None and of.kind == "path")
        if URL.match(value) or "::" in value or (is_path and HOST_PATH.match(value)):
            allowed = (form.name, field) in OWN_GUARD or (of is not None and value == of.default)
            return self._why_address(value, allowed)
        if field in PATTERNS or form.name == "web":
            hidden = form.name != "web" and _hidden(value)
            return "hidden files are not taken from here" if hidden else ""
        if is_path or value.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", value):
            return self.why_path(value)
        return ""

    def _why_address(self, value: str, allowed: bool) -> str:
        if value.lower().startswith("file://") and "::" not in value:
            return self.why_path(value[len("file://") :])
        if "::" in value or "\\" in value or not value.isprintable() or " " in value:
            return "a plain address is wanted, such as https://example.com/docs"
        try:
            parts = urlsplit(value if URL.match(value) else f"ssh://{value.replace(':', '/', 1)}")
            host = (parts.hostname or "").lower()
        except ValueError:
            return "this is no address"
        if parts.password is not None or (parts.username and URL.match(value)):
            return "a login is not typed here; let the file name it, as ${LLMOPS_…}"
        if not host:
            return "this address names no host"
        if allowed or host in self.hosts:
            return ""
        return (
            f"{host} is not among the hosts that may be named here; whoever runs the application "
            "may add it: build: {hosts: […]}"
        )

    def why_path(self, value: str) -> str:
        if "\0" in value:
            return "this is no path"
        path = self.resolved(value)
        if path.is_relative_to(self.home.resolve()):
            return "the application's own state is not read from here"
        root = next((each for each in self.folders if path.is_relative_to(each.resolve())), None)
        if root is None:
            known = ", ".join(map(str, self.folders))
            return (
                f"it is outside of what may be read here ({known}); whoever runs the application "
                "may allow more: build: {folders: […]}"
            )
        if any(part.startswith(".") for part in path.relative_to(root.resolve()).parts):
            return "hidden files are not taken from here"
        return ""

    def opens(self, folder: Path) -> bool:
        """Whether the names of files there may be seen: no config of the project closes them by
        labels that whoever looks does not hold.
        """
        place = os.path.realpath(folder)
        return not any(
            rule.labels is None or (rule.labels and not rule.labels & self.labels)
            for rule in self.rules
            if any(_overlap(place, other) for other in rule.places)
        )

    def resolved(self, value: str) -> Path:
        """Where a path leads, links followed."""
        return Path(os.path.realpath(self.folder / Path(value).expanduser()))

    def _closed(self, name: str, entry: Mapping[str, Any]) -> str:
        """Documents that labels close stay closed: another source of them has to have the same
        labels, or whoever chooses it holds one.
        """
        own = frozenset(_texts(entry.get("labels")))
        mine = places(self, name, entry)
        for rule in self.rules:
            if not any(_overlap(one, other) for one in mine for other in rule.places):
                continue
            if rule.labels is None:
                if rule.file != self.file:
                    return f"documents there name their own labels, as {rule.file} says"
            elif rule.labels and not (rule.labels & self.labels or (own and own <= rule.labels)):
                wanted = ", ".join(sorted(rule.labels))
                return f"{rule.file} closes these documents with the labels {wanted}: give them too"
        return ""


def places(bounds: Bounds, name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a source reads: paths with links followed, and addresses as they are."""
    found = []
    for path, value in strings({k: v for k, v in entry.items() if k != "name"}):
        field = path.partition(".")[0].partition("[")[0]
        if URL.match(value):
            found.append(value.removesuffix("/").lower())
        elif (name, field) in PATHS or (value.startswith(("/", "~")) and name != "web"):
            found.append(str(bounds.resolved(value)))
    return tuple(found)


def _overlap(one: str, other: str) -> bool:
    """Whether one place lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _hidden(pattern: str) -> bool:
    return any(part.startswith(".") for part in re.split(r"[/\\]", pattern))


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def strings(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, keys of mappings as well, with the way to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            if path:  # the fields of a plugin are no texts that somebody typed
                yield place, str(key)
            yield from strings(inner, place)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for number, inner in enumerate(value):
            yield from strings(inner, f"{path}[{number}]")
