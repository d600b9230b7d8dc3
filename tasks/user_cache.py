"""Where things are kept for all homes of a user."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

NEW = "new-"
"""How names begin of what is still being made."""
ABANDONED_SECONDS = 3600
"""After which whoever made it was killed: the longest takes some seconds."""


def user_cache() -> Path:
    """The folder of what may be made anew at any time; it need not exist. Raises RuntimeError for a
    user without a home.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given or "~/.cache").expanduser() / "llmops-pipelines"


def made_ready(folder: Path) -> Path:
    """The folder, made where it is not there, without what killed processes left half made. Raises
    OSError where it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    since = time.time() - ABANDONED_SECONDS
    for path in folder.glob(f"{NEW}*"):
        with suppress(OSError):  # another process removes it, or may not let us
            if path.stat().st_mtime < since:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder
