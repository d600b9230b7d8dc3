"""What killed processes leave in the user's cache goes; what others are making stays."""

import os
import time
from pathlib import Path

from llmops.tasks.user_cache import ABANDONED_SECONDS, made_ready


def test_only_what_was_abandoned_half_made_is_removed(tmp_path: Path) -> None:
    folder = made_ready(tmp_path / "cache")
    old = time.time() - ABANDONED_SECONDS - 60
    for name in ("new-dead", "new-young", "kept"):
        (folder / name).write_text("x")
    (folder / "new-folder").mkdir()
    (folder / "new-folder" / "part").write_text("x")
    for name in ("new-dead", "new-folder", "kept"):
        os.utime(folder / name, (old, old))
    made_ready(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["kept", "new-young"]
