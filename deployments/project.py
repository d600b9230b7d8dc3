"""A project: a folder of configs in git, the home that they work in, and the name under which they
are known at a Prefect server.
"""

import hashlib
import os
import re
import socket
import subprocess
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from llmops.configs.reading import FLOWS, load_yaml, named_in, read
from llmops.configs.section import FlowConfig, Schedule
from llmops.configs.settings import load_env, settings
from llmops.tasks.errors import ConfigError, Mistake, UsageError

NAME = "[a-z][a-z0-9-]{0,62}"
GIT_SECONDS = 10.0
PACKAGES = ("node_modules", "__pycache__")
CONTENT = re.compile(rb"(?m)^(?P<indent>[ \t]*)(?P<sign>(?!---)[^\s#%])")
"""The first line that is no comment, directive or `---`."""


@dataclass(frozen=True)
class Scheduled:
    """A config of a project. `file`: relative to the project's folder, with `/`; `name`: of the
    knowledge base, evaluation or night; `schedule`: None where it runs only when asked.
    """

    file: str
    flow: str
    name: str
    schedule: Schedule | None = None
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`index/handbook`: what Prefect calls the deployment."""
        return f"{self.flow}/{self.name}"


@dataclass(frozen=True)
class ConfigSurvey:
    """The configs that can be used, and each mistake with the file that it concerns. `names`: what
    files that cannot be used are probably about, such as `index/handbook`.
    """

    usable: list[Scheduled] = field(default_factory=list)
    mistakes: list[tuple[str, Mistake]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """`name`: LLMOPS_PROJECT, else the folder's name as small letters, digits and hyphens."""

    folder: Path
    home: Path
    name: str
    read_configs: list[Scheduled] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def at(cls, folder: Path | None = None, home: Path | None = None) -> "Project":
        """The project in a folder (default: the current one). Raises UsageError where there is no
        such folder, or where LLMOPS_PROJECT is no name.
        """
        folder = (folder or Path()).expanduser().absolute()
        if not folder.is_dir():
            raise UsageError(
                "no such folder" if not folder.exists() else "a folder is wanted, this is a file",
                where=str(folder),
                hint="give the folder that holds the configs",
            )
        load_env(folder)
        own = home or settings().absolute_home
        return cls(folder.resolve(), own.expanduser().absolute(), _name(folder.resolve()))

    @property
    def pool(self) -> str:
        """The work pool that its runs go to where no other is named."""
        return f"llmops-{self.name}"

    @property
    def worker(self) -> str:
        """The name of its worker on this machine: catching up tells by it the workers of others."""
        return f"{self.pool} on {socket.gethostname()}"

    @property
    def tags(self) -> tuple[str, ...]:
        """What every deployment of the project, and every run of it, is tagged with."""
        return ("llmops", f"project:{self.name}")

    def configs(self) -> list[Scheduled]:
        """Every config below the folder, in the order of their paths; the home, hidden folders and
        installed packages are passed over. Read once. Raises ConfigError with the mistakes of all
        of them, UsageError where there is none.
        """
        if not self.read_configs:
            self.read_configs.extend(self._read())
        return self.read_configs

    def scheduled(self) -> list[Scheduled]:
        """The configs with a schedule. Raises what `configs` raises."""
        return [config for config in self.configs() if config.schedule]

    def parts_of(self, night: Scheduled) -> list[str]:
        """The files that a nightly config lists, as `Scheduled` names files."""
        from llmops.configs.nightly import NightlyConfig

        config = read(self.folder / night.file, NightlyConfig)
        inside = [file.resolve() for _flow, file in config.listed()]
        return [
            file.relative_to(self.folder).as_posix()
            for file in inside
            if file.is_relative_to(self.folder)
        ]

    def version(self, file: str) -> str:
        """What git calls the state of the folder (`v1.2-3-gabc1234-dirty`); outside of git, or
        where git is not installed, a hash of the config's text.
        """
        described = _git(self.folder, "describe", "--always", "--dirty", "--tags")
        if described:
            return described
        text = (self.folder / file).read_bytes()
        return f"sha256-{hashlib.sha256(text).hexdigest()[:12]}"

    def _read(self) -> list[Scheduled]:
        survey = self.survey()
        if survey.mistakes:
            raise ConfigError([mistake for _, mistake in survey.mistakes])
        return survey.usable

    def survey(self) -> ConfigSurvey:
        """Every config below the folder, right or wrong. Raises UsageError where there is none."""
        found, files = ConfigSurvey(), list(self.files())
        if not files:
            raise UsageError(
                "no config in this folder",
                where=str(self.folder),
                hint="a config is a YAML file with a line such as `flow: index`; "
                "`llmops init` writes a first project",
            )
        for file in files:
            relative = file.relative_to(self.folder).as_posix()
            try:
                config, of_parts = self._config(file)
                found.usable.append(config)
            except ConfigError as error:
                of_parts = error.found
                found.names[relative] = guessed_name(file)
            found.mistakes.extend((relative, mistake) for mistake in of_parts)
        found.mistakes[:] = _once(found.mistakes) or twice(found.usable)
        return found

    def files(self) -> Iterable[Path]:
        """Every file below the folder that is meant as a config."""
        return [path for path in sorted(yaml_files(self.folder, self.home)) if _is_config(path)]

    def _config(self, file: Path) -> tuple[Scheduled, list[Mistake]]:
        """The config, and what is wrong with the files that a night lists."""
        flow = str(load_yaml(file).get("flow"))
        kind = FLOWS.get(flow) or FLOWS["index"]  # whose reader says what is allowed
        module = import_module(f"llmops.configs.{flow if flow in FLOWS else 'index'}")
        model: type[FlowConfig] = getattr(module, kind.model)
        config = read(file, model)
        relative = file.relative_to(self.folder).as_posix()
        name, schedule = name_of(config, file), getattr(config, "schedule", None)
        about = f"kb:{name}" if flow == "index" else f"name:{name}"
        tags = (*self.tags, f"flow:{flow}", about, f"config:{relative}")
        unreadable = getattr(config, "unreadable", None)  # of a night
        wrong = unreadable(str(file)) if unreadable else []
        return Scheduled(relative, flow, name, schedule, tags), wrong


def yaml_files(folder: Path, home: Path) -> Iterable[Path]:
    """Every file below a folder that may be a config. The home, hidden folders, installed packages
    and virtual environments are passed over.
    """
    state = Path(os.path.realpath(home))
    for root, folders, files in os.walk(folder):
        above = Path(root)
        packages = above.name in PACKAGES or "pyvenv.cfg" in files
        if above.is_relative_to(state) or (packages and above != folder):
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (above / name for name in files if fnmatch(name, "[!.]*.y*ml"))


def name_of(config: FlowConfig, file: Path) -> str:
    """What a config is about: its knowledge base, else its name, else the file's."""
    for key in ("knowledge_base", "name", "app"):
        if isinstance(value := getattr(config, key, None), str):
            return value
    return file.stem


def guessed_name(file: Path) -> str:
    """`index/handbook`, as far as a file says it that is no config; else the file's name."""
    flow, name = named_in(file)
    return f"{flow}/{name}" if flow and name else file.name


def twice(configs: Iterable[Scheduled]) -> list[tuple[str, Mistake]]:
    """Two configs with a schedule for one thing: they would take turns with each other's work."""
    first: dict[str, str] = {}
    found = []
    for config in configs:
        if config.schedule is None:
            continue
        if other := first.setdefault(config.key, config.file):
            if other == config.file:
                continue
            mistake = Mistake(
                f"{config.flow} of {config.name!r} is scheduled by {other} already",
                where=f"{config.file}: schedule",
                hint="give this one another name, or take one of the two schedules out",
            )
            found.append((config.file, mistake))
    return found


def _once(mistakes: Iterable[tuple[str, Mistake]]) -> list[tuple[str, Mistake]]:
    """A config that a night lists is read for that night too: what is wrong with it is said of
    itself.
    """
    said: dict[tuple[str, str], tuple[str, Mistake]] = {}
    for file, mistake in mistakes:
        key = (os.path.normpath(mistake.where), mistake.message)
        own = os.path.normpath(mistake.where.partition(": ")[0]).endswith(os.sep + file)
        if key not in said or own:
            said[key] = (file, mistake)
    return list(said.values())


def _is_config(file: Path) -> bool:
    """Data is told by its bytes: YAML of many megabytes takes minutes to read."""
    try:
        if not file.is_file():  # also a link that leads nowhere, and a pipe
            return False
        text = file.read_bytes().removeprefix(BOM_UTF8)
    except OSError:
        return True  # nobody knows; reading it as a config says what is wrong
    first = CONTENT.search(text)
    if first is None:
        return False
    before = rb"[{,\s]" if first["sign"] == b"{" else rb"(?m:^)" + first["indent"]
    if not re.search(before + rb"""["']?flow["']?\s*:""", text):
        return False
    try:
        return "flow" in load_yaml(file)
    except ConfigError:
        return True


def _name(folder: Path) -> str:
    given = os.environ.get("LLMOPS_PROJECT")
    if given:
        if not re.fullmatch(NAME, given):
            raise UsageError(
                f"got {given!r}, allowed are small letters, digits and hyphens, a letter first",
                where="LLMOPS_PROJECT",
                hint=f"such as LLMOPS_PROJECT={slug(given)}",
            )
        return given
    return slug(folder.name)


def slug(text: str) -> str:
    """Small letters, digits and hyphens, a letter first; `project` where nothing else is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    named = words if re.match("[a-z]", words) else f"project-{words}".strip("-")
    return named[:63].strip("-")


def _git(folder: Path, *words: str) -> str:
    """What git says; empty where it says nothing, or is not there."""
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
