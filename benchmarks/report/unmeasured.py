"""What a run did not measure, and why: `raw/unmeasured.json`, which the page tells beside the
figures.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from benchmarks.report.processes import PATH
from llmops.tasks.errors import LlmopsError

FILE, LONGEST = "unmeasured.json", 300


class Unmeasured(TypedDict):
    """Why a part has no figures of its last run. `failed`: by an error, and not because something
    is missing here.
    """

    why: str
    failed: bool
    date: str


def unmeasured(folder: Path) -> dict[str, Unmeasured]:
    """By the name of the part."""
    file = folder / "raw" / FILE
    if not file.exists():
        return {}
    told: dict[str, Unmeasured] = json.loads(file.read_text(encoding="utf-8"))
    return told


def note(folder: Path, name: str, error: Exception | None, *, failed: bool = False) -> None:
    """Write down why a part was not measured; None: it was. The reason is in one line, without
    paths.
    """
    known = unmeasured(folder)
    known.pop(name, None)
    if error is not None:
        date = datetime.now(UTC).date().isoformat()
        known[name] = Unmeasured(why=reason(error, failed=failed), failed=failed, date=date)
    file = folder / "raw" / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    if known:
        text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True)
        file.write_text(f"{text}\n", encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


def reason(error: Exception, *, failed: bool) -> str:
    """The last line of an error: of what a process said, it is the one that tells."""
    told = error.message if isinstance(error, LlmopsError) else str(error)
    last = (told.strip().splitlines() or [""])[-1]
    said = f"{type(error).__name__}: {last}" if failed else last
    return PATH.sub("…", said)[:LONGEST].rstrip(" .:")
