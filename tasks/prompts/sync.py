"""Prompt files beside the registry: what is in step, what has to be pushed, and a version as a
file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from llmops.tasks.errors import Blocked, ConfigError, Mistake, UsageError
from llmops.tasks.lake import write_atomically
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.prompts.reading import prompt_files, read_prompt, read_prompts
from llmops.tasks.prompts.registry import RegistryVersion, all_versions, as_versions
from llmops.tasks.prompts.writing import to_yaml
from llmops.tasks.tracking.prompts import open_registry

Files = Sequence[tuple[Path, Prompt]]
FOLDERS = ("prompts", "configs/prompts")


def default_folder() -> Path:
    """`prompts` or `configs/prompts` where there is one, else the current folder."""
    return next((Path(one) for one in FOLDERS if Path(one).is_dir()), Path())


def files_in(folder: Path | None) -> Files:
    """The prompts below a folder; of none, those of the default folder, where the current one is
    not searched to its depths.

    Raises ConfigError with all mistakes, UsageError for a folder that is none.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"no such folder: {folder}", hint="name the folder of your prompt files")
    if folder is None and default_folder() == Path():
        return read_prompts(prompt_files(Path(), deep=False))
    return read_prompts([folder or default_folder()])


class FileStatus(TypedDict):
    """A file beside the registry, as `prompts list` prints it. `version`: the latest;
    `file_version`: the one that says what the file says. `state`: `in step` (the file says what the
    latest version says), `behind` (what an earlier one says), `changed` (what no version says),
    `ahead` (the registry does not know the prompt), `no file`.
    """

    name: str
    version: int | None
    aliases: dict[str, int]
    file: str | None
    file_version: int | None
    state: str


class Pulled(TypedDict):
    """As `prompts pull` prints it. `written`: whether the file said something else before."""

    name: str
    version: int
    uri: str
    sha256: str
    file: str
    written: bool


def status(home: Path, files: Files) -> list[FileStatus]:
    """A row per file, and one per prompt that only the registry has, in the order of their
    names.
    """
    with open_registry(home) as shelf:
        known = {name: as_versions(plain) for name, plain in shelf.everything().items()}
    names = sorted({*known, *(prompt.name for _, prompt in files)})
    return [
        row
        for name in names
        for row in _rows(
            name, known.get(name, []), [(file, one) for file, one in files if one.name == name]
        )
    ]


def one_file_each(files: Files) -> Files:
    """Raises ConfigError where two files say different things under one name: the latest version
    would be whichever comes last.
    """
    found: list[Mistake] = []
    first: dict[str, tuple[Path, str]] = {}
    for file, prompt in files:
        other, sha256 = first.setdefault(prompt.name, (file, prompt.sha256))
        if sha256 != prompt.sha256:
            found.append(
                Mistake(
                    f"{other} says something else under the name {prompt.name!r}",
                    where=str(file),
                    hint="push the one that is meant by its path, or give one another name",
                )
            )
    if found:
        raise ConfigError(found)
    return files


def pull(home: Path, resolved: Resolved, out: Path | None, force: bool = False) -> Pulled:
    """Write a version as a file: `out`, else the one of the default folder that holds the prompt,
    else NAME.yaml there.

    Raises Blocked rather than overwrite what no version says, UsageError where several files hold
    the prompt.
    """
    if resolved.version is None:
        raise UsageError(
            f"got the file {resolved.uri}", hint="a version is pulled: NAME, NAME@alias or NAME/3"
        )
    file = out or _file_of(resolved.prompt.name)
    before = _present(file)
    if (
        before is not None
        and not force
        and before != resolved.prompt.sha256
        and before not in _pushed(home, resolved.prompt.name)
    ):
        raise Blocked(
            f"{file} has changes that were never pushed",
            hint="llmops prompts push it first, or overwrite it with --force",
        )
    written = before != resolved.prompt.sha256
    if written:
        write_atomically(file, to_yaml(resolved.prompt).encode())
    return {
        "name": resolved.prompt.name,
        "version": resolved.version,
        "uri": resolved.uri,
        "sha256": resolved.prompt.sha256,
        "file": str(file),
        "written": written,
    }


def _rows(name: str, versions: Sequence[RegistryVersion], files: Files) -> Iterator[FileStatus]:
    row: FileStatus = {
        "name": name,
        "version": versions[0].version if versions else None,
        "aliases": {alias: version.version for version in versions for alias in version.aliases},
        "file": None,
        "file_version": None,
        "state": "no file",
    }
    if not files:
        yield row
    for file, prompt in files:
        same = (version.version for version in versions if version.sha256 == prompt.sha256)
        number = next(same, None)
        state = _state(number, versions)
        yield {**row, "file": str(file), "file_version": number, "state": state}


def _state(number: int | None, versions: Sequence[RegistryVersion]) -> str:
    if not versions:
        return "ahead"
    if number is None:
        return "changed"
    return "in step" if number == versions[0].version else "behind"


def _file_of(name: str) -> Path:
    folder = default_folder()
    holding = [file for file, prompt in _readable(folder) if prompt.name == name]
    if len(holding) > 1:
        raise UsageError(
            f"several files hold {name!r}: {', '.join(map(str, holding))}",
            hint="say which: --out FILE",
        )
    return holding[0] if holding else folder / f"{name}.yaml"


def _readable(folder: Path) -> Files:
    """The prompts directly in a folder; a file with mistakes is not the one that is asked for, or
    is named by --out.
    """
    found: list[tuple[Path, Prompt]] = []
    for file in sorted(folder.glob("*.y*ml")):
        try:
            found.append((file, read_prompt(file)))
        except ConfigError:
            continue
    return found


def _present(file: Path) -> str | None:
    """The hash of a file's prompt; empty for a file that is none, None where there is no file."""
    if not file.exists():
        return None
    try:
        return read_prompt(file).sha256
    except ConfigError:
        return ""


def _pushed(home: Path, name: str) -> set[str | None]:
    with open_registry(home) as shelf:
        return {version.sha256 for version in all_versions(shelf, name)}
