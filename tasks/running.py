"""What a run says of itself to other processes while it lasts: `HOME/plans/running/ID.json`.
Whoever asks for what it builds is told how far it is, and where to watch it.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.progress import Board, BoardSeen

EVERY_SECONDS = 2.0


def _place(home: Path, run: str) -> Path:
    return home / "plans" / "running" / f"{run}.json"


@contextlib.contextmanager
def noted(home: Path, board: Board, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Note how far a run is while the block lasts; a board is noted once, whoever asks for it."""
    if board.noted:
        yield
        return
    board.noted, over, written = True, threading.Event(), set[Path]()

    def note() -> None:
        while not over.wait(every):
            seen = board.look()
            if not seen.run:
                continue
            place = _place(home, seen.run)
            with contextlib.suppress(OSError):  # a full disk is told by what needs the room
                place.parent.mkdir(parents=True, exist_ok=True)
                partial = place.with_suffix(".new")
                partial.write_text(json.dumps(_said(seen)), encoding="utf-8")
                partial.replace(place)
                written.add(place)

    thread = threading.Thread(target=note, name="progress noted", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        board.noted = False
        for place in written:
            place.unlink(missing_ok=True)


def _said(seen: BoardSeen) -> dict[str, str]:
    current = seen.current
    return {"url": seen.url, "stage": f"{current.name} {current.counted}" if current else ""}


def whereabouts(home: Path, run: str) -> str:
    """`embed 1,200 of 5,000 chunks, http://…`; empty where the run says nothing here."""
    try:
        said = json.loads(_place(home, run).read_text(encoding="utf-8"))
        return ", ".join(filter(None, [str(said["stage"]), str(said["url"])]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # none, or of a release that wrote another
