"""Where this user's caches lie."""

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder of what may be made anew at any time; it need not exist. Raises RuntimeError for a
    user without a home.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given or "~/.cache").expanduser() / "llmops-pipelines"
