"""The files that `llmops init` writes: a project on which `llmops up` works at once.

They lie in `files/`; `dot-` in front of a name stands for a dot, so that neither git nor a build of
this package takes them for its own. The night is called as the folder is: two starters get along on
one server.
"""

from pathlib import Path
from typing import TypedDict

from llmops.deployments.project import slug
from llmops.tasks.errors import UsageError

FILES = Path(__file__).parent / "files"


class Started(TypedDict):
    """`written`, `kept`: paths relative to `folder`; kept are those that were there before."""

    folder: str
    written: list[str]
    kept: list[str]


def write_starter(folder: Path) -> Started:
    """Write the starter project; what exists stays as it is. Raises UsageError where the folder
    cannot be one.
    """
    written, kept, project = [], [], slug(folder.absolute().name)
    for source in sorted(each for each in FILES.rglob("*") if each.is_file()):
        name = source.relative_to(FILES).as_posix().replace("dot-", ".")
        target = folder / name
        if target.exists() or target.is_symlink():
            kept.append(name)
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(text.replace("name: PROJECT\n", f"name: {project}\n"), "utf-8")
        except OSError as error:
            raise UsageError(
                f"{target} cannot be written: {error.strerror or error}",
                where=str(folder),
                hint="give a folder that you may write to: llmops init DIR",
            ) from error
        written.append(name)
    return {"folder": str(folder.absolute()), "written": written, "kept": kept}
