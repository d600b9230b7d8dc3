"""Where the page builds: the project's folder, its configs, what a config there may reach, and
where uploads go.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from llmops.configs.reading import Content, load_yaml, named_in
from llmops.configs.serve import BuildSettings, ServeConfig
from llmops.deployments.app.page.bounds import Bounds, SourceRule, places
from llmops.deployments.project import Project
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.yaml_files import text_of

UPLOADS = "uploads"


class ProjectConfig(NamedTuple):
    """A config of the project that builds a knowledge base. `file`: relative to the folder."""

    file: str
    knowledge_base: str


class ConfigText(NamedTuple):
    """A file as it was read; `digest` tells whether somebody has changed it since."""

    content: Content
    text: str
    digest: str


@dataclass(frozen=True)
class Workplace:
    """`given`: the application runs in a project's folder; else `folder` is that of its own
    config.
    """

    folder: Path
    home: Path
    settings: BuildSettings
    given: bool

    @classmethod
    def of(cls, config: ServeConfig, home: Path) -> "Workplace":
        """A process that runs in the folder of its config, or above it, was started in a project:
        as `llmops up` does, and whoever types `llmops serve` there.
        """
        here, own = Path.cwd().resolve(), config.folder.resolve()
        given = own.is_relative_to(here) and here not in (Path(here.anchor), Path.home().resolve())
        return cls(here if given else own, home.absolute(), config.build, given)

    def configs(self) -> list[ProjectConfig]:
        """Those that build a knowledge base, also where the rest of them is wrong."""
        project = Project(self.folder, self.home, "page")
        found = []
        for path in project.files():
            flow, name = named_in(path)
            if flow == "index" and name:
                found.append(ProjectConfig(path.relative_to(self.folder).as_posix(), name))
        return found

    def first_of(self, flow: str) -> str:
        """The first config of a flow, "" where the project has none."""
        files = Project(self.folder, self.home, "page").files()
        own = [
            path.relative_to(self.folder).as_posix() for path in files if named_in(path)[0] == flow
        ]
        return min(own, default="")

    def config(self, file: str) -> ProjectConfig:
        """One of them, by its file. Raises UsageError for another one: no other file is read."""
        for each in self.configs():
            if each.file == file:
                return each
        raise UsageError("there is no such config in this project", where=file[:200])

    def read(self, file: str) -> ConfigText:
        """Raises ConfigError for what cannot be read."""
        path = self.folder / file
        text = text_of(path, "a config file")
        return ConfigText(load_yaml(path), text, digest(text))

    def new_file(self, kb: str) -> str:
        """The file of a new config."""
        return f"{kb}.yaml"

    def uploads(self, kb: str) -> Path:
        return self.folder / UPLOADS / kb

    def bounds(self, file: str, labels: Collection[str]) -> Bounds:
        """What the config in a file may reach, chosen by somebody who holds these labels."""
        return Bounds(
            file=file,
            folder=(self.folder / file).parent,
            folders=(self.folder, *(self.folder / each for each in self.settings.folders)),
            home=self.home,
            hosts=frozenset(host.lower() for host in self.settings.hosts),
            plugins=frozenset(self.settings.plugins),
            labels=frozenset(labels),
            rules=tuple(self._rules()),
        )

    def _rules(self) -> Iterator[SourceRule]:
        """Which documents of the project's configs are closed by labels."""
        for each in self.configs():
            try:
                content = load_yaml(self.folder / each.file)
            except ConfigError:
                continue
            bounds = Bounds(each.file, (self.folder / each.file).parent, (), self.home)
            access = content.get("access")
            rule = access if isinstance(access, Mapping) else {}
            for spec in specs(content.get("sources")):
                labels = _labels(spec.options.get("labels")) or _labels(rule.get("default"))
                own = None if rule.get("field") else labels
                if own is None or own:
                    where = places(bounds, spec.name, spec.short())
                    yield SourceRule(each.file, where, own)


def specs(entries: object) -> list[Spec]:
    """The plugins of a list in a config; what is none is left out."""
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str):
            found.append(Spec(name=entry))
        elif isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            found.append(Spec.model_validate(dict(entry)))
    return found


def _labels(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
