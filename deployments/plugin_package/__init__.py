"""What `llmops plugins new` writes: a plugin that works, its test and its entry point, in a package
of the user's own.
"""

import keyword
import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from llmops.deployments.project import slug
from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import names
from llmops.tasks.plugins.catalogue import checked_family

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
USES = {
    "sources": "sources: [{{name: {0}, path: notes.txt}}]",
    "cleaners": "clean: [unicode, whitespace, {0}]",
    "chunkers": "chunk: {0}",
    "embedders": "embed: {0}",
    "rerankers": "retrieve: {{k: 5, rerank: {0}}}",
    "stores": "store: {0}",
    "llms": "llm: {0}",
    "scorers": "scorers: [{0}]",
    "collectors": "collect: [{{name: {0}, path: faq.csv}}]",
    "scrubbers": "scrub: {{detectors: [patterns, {0}]}}",
    "exporters": "export: [{0}]",
    "trainers": "train: {0}",
    "senders": "senders: [{{name: {0}, path: alerts.txt}}]",
    "parsers": "nothing: every document of its media types goes to it",
}
"""How a config chooses a plugin."""
Toml = dict[str, Any]
PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["llmops-pipelines>={house}"]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

[tool.pytest.ini_options]
pythonpath = ["."]
"""


class WrittenPlugin(TypedDict):
    """`written`: files relative to `folder`; `test`: one of them; `use`: how a config says it."""

    folder: str
    family: str
    name: str
    written: list[str]
    test: str
    use: str


class Home(NamedTuple):
    """Where a package of plugins lives. `project`: the text of its pyproject.toml; `modules`: the
    folder of its modules, relative to `folder`.
    """

    folder: Path
    project: str
    modules: Path


def write_plugin(family: str, name: str, folder: Path) -> WrittenPlugin:
    """Write module, test and entry point; what exists stays as it is. Raises UsageError, before
    anything is written, for a name that is none or is taken, and for a package that cannot be
    read.
    """
    _check(checked_family(family), name)
    home = _home(folder)
    module = f"{home.modules.name}.{name}"
    entry = f"{module}:{_camel(name)}{_noun(family)}"
    code, tests = home.modules / f"{name}.py", Path("tests") / f"test_{name}.py"
    if taken := [path for path in (code, tests) if (home.folder / path).exists()]:
        raise UsageError(
            f"{taken[0]} is there already",
            where=str(home.folder),
            hint="choose another name; nothing was written",
        )
    files = {
        home.modules / "__init__.py": "",
        code: _template(f"{family}.py", family, name, module),
        tests: _template(f"{family}_test.py", family, name, module),
        Path("pyproject.toml"): with_entry_point(home.project, family, name, entry),
    }
    written = _write(home.folder, files)
    use = USES[family].format(name)
    test = f"tests/test_{name}.py"
    return WrittenPlugin(
        folder=str(folder), family=family, name=name, written=written, test=test, use=use
    )


def with_entry_point(project: str, family: str, name: str, entry: str) -> str:
    """The text of a pyproject.toml with one more entry point, otherwise unchanged. Raises
    UsageError where that cannot be done by adding lines.
    """
    line = f'{name} = "{entry}"'
    header = re.compile(rf"""(?m)^\[\s*project\.entry-points\.["']llmops\.{family}["']\s*\].*$""")
    if match := header.search(project):
        text = f"{project[: match.end()]}\n{line}{project[match.end() :]}"
    else:
        text = f'{project.rstrip()}\n\n[project.entry-points."llmops.{family}"]\n{line}\n'
    wanted = _parsed(project)
    groups = wanted.setdefault("project", {}).setdefault("entry-points", {})
    groups.setdefault(f"llmops.{family}", {})[name] = entry
    try:
        done = tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        done = False
    if not done:
        raise UsageError(
            "the entry point cannot be added to this pyproject.toml; nothing was written",
            hint=f'add to [project.entry-points."llmops.{family}"] by hand: {line}',
        )
    return text


def _check(family: str, name: str) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"got the name {name!r}, allowed are small letters, digits and _, a letter first",
            hint="such as my_plugin",
        )
    if name in names(family):
        raise UsageError(
            f"there is a plugin {name!r} among the {family} already",
            hint=f"choose another name; `llmops plugins list {family}` shows those there are",
        )


def _home(folder: Path) -> Home:
    """The user's package: the one that is there, else a new one of the folder's name."""
    folder = folder.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError("a folder is wanted, this is a file", where=str(folder))
    file = folder / "pyproject.toml"
    if not file.exists():
        package = slug(folder.name).replace("-", "_")
        house = version("llmops-pipelines")
        text = PROJECT.format(name=slug(folder.name), package=package, house=house)
        return Home(folder, text, Path(package))
    text = file.read_text(encoding="utf-8")
    name = _parsed(text).get("project", {}).get("name")
    if not isinstance(name, str):
        raise UsageError(
            "this pyproject.toml has no [project] with a name",
            where=str(file),
            hint="an entry point belongs to a package: give it one, or another folder by --into",
        )
    package = re.sub(r"[^a-z0-9]+", "_", name.lower())
    top = Path("src") if (folder / "src").is_dir() else Path()
    return Home(folder, text, top / package)


def _parsed(project: str) -> Toml:
    try:
        return tomllib.loads(project)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"pyproject.toml cannot be read: {error}") from error


def _template(file: str, family: str, name: str, module: str) -> str:
    """A template's text under the plugin's own names."""
    text = (TEMPLATES / file).read_text(encoding="utf-8")
    text = text.replace(f"{__name__}.templates.{family}", module)
    return text.replace("Example", _camel(name))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _noun(family: str) -> str:
    """How classes of a family end."""
    return family.removesuffix("s").capitalize()


def _write(folder: Path, files: dict[Path, str]) -> list[str]:
    """Write what is new or changed; an `__init__.py` that exists stays."""
    written = []
    for path, text in files.items():
        target = folder / path
        if path.name == "__init__.py" and target.exists():
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
        except OSError as error:
            raise UsageError(
                f"{target} cannot be written: {error.strerror or error}",
                hint="give a folder that you may write to: --into FOLDER",
            ) from error
        written.append(path.as_posix())
    return written
