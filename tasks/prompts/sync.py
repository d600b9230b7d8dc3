"""Prompt files beside the registry: what is in step, what has to be pushed, and a version as a
file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops.tasks.errors import Blocked, ConfigError, Mistake, UsageError
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.prompts.reading import prompt_files, read_prompt, read_prompts
from llmops.tasks.prompts.references import SCHEME, all_versions, resolve
from llmops.tasks.prompts.writing import to_yaml
from llmops.tasks.schemas import write_atomically
from llmops.tasks.tracking.prompt_versions import Version
from llmops.tasks.tracking.prompts import registry

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


def anything(home: Path, text: str, folder: Path) -> Resolved:
    """The same as `resolve` in the short forms of the command line: NAME is its latest version,
    NAME@alias, NAME/3, a file's path.
    """
    if text.startswith("prompts:") or text.endswith((".yaml", ".yml")) or (folder / text).is_file():
        return resolve(home, text, folder)
    return resolve(
        home, SCHEME + (text if "@" in text or "/" in text else f"{text}@latest"), folder
    )


def standing(home: Path, files: Files) -> list[dict[str, Any]]:
    """A row per file, and one per prompt that only the registry has, in the order of their names.

    `state`: `in step` (the file says what the latest version says), `behind` (what an earlier one
    says), `changed` (what no version says), `ahead` (the registry does not know the prompt), `no
    file`.
    """
    with registry(home) as shelf:
        known = shelf.everything()
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


def pull(home: Path, resolved: Resolved, out: Path | None, force: bool = False) -> dict[str, Any]:
    """Write a version as a file: `out`, else the one of the default folder that holds the prompt,
    else NAME.yaml there.

    Raises Blocked rather than overwrite what no version says, UsageError where several files hold
    the prompt.
    """
    if resolved.version is None:
        raise UsageError(
            f"got the file {resolved.uri}", hint="a version is pulled: NAME, NAME@alias or NAME/3"
        )
    file = out or _home_of(resolved.prompt.name)
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


def _rows(name: str, versions: Sequence[Version], files: Files) -> list[dict[str, Any]]:
    shown = {
        "name": name,
        "version": versions[0].version if versions else None,
        "aliases": {alias: one.version for one in versions for alias in one.aliases},
    }
    if not files:
        return [{**shown, "file": None, "file_version": None, "state": "no file"}]
    said = [
        next((one.version for one in versions if one.sha256 == prompt.sha256), None)
        for _, prompt in files
    ]
    return [
        {**shown, "file": str(file), "file_version": number, "state": _state(number, versions)}
        for (file, _), number in zip(files, said, strict=True)
    ]


def _state(number: int | None, versions: Sequence[Version]) -> str:
    if not versions:
        return "ahead"
    if number is None:
        return "changed"
    return "in step" if number == versions[0].version else "behind"


def _home_of(name: str) -> Path:
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
    with registry(home) as shelf:
        return {one.sha256 for one in all_versions(shelf, name)}
