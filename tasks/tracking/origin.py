"""Where a record comes from: who ran it, from which commit of the configs, with which tools."""

import getpass
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("llmops-pipelines", "prefect", "mlflow-skinny", "mlflow", "great-expectations"),
    *("lancedb", "weaviate-client", "numpy", "pyarrow", "onnxruntime", "tokenizers"),
)
GIT_SECONDS = 5.0


def git_commit(folder: Path) -> str | None:
    """The commit that the files of a folder are of, with `-dirty` behind it where some of them are
    not as they are there. None outside of a repository, or without git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git, or a folder that it cannot look into
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def user() -> str:
    """The account that runs this; "" where the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


@cache
def tool_versions() -> dict[str, str]:
    """Of Python and of what a result depends on, by their names; what is not installed is left
    out.
    """
    known = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known
