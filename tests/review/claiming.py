"""What another process does to a queue in tests: it claims until nothing is left, or is killed with
a draft in hand. It imports no more than that: each of them starts afresh.
"""

import multiprocessing
import os
import signal
from pathlib import Path

from llmops.tasks.review.items import Draft
from llmops.tasks.review.leases import claim, save_draft
from llmops.tasks.review.reviewing import Review, submit


def work_off(
    home: Path, app: str, reviewer: str, results: "multiprocessing.Queue[list[str]]"
) -> None:
    found = []
    while item := claim(home, app, "", reviewer):
        found.append(item.id)
        submit(home, app, item.id, reviewer, Review("good"))
    results.put(found)


def type_and_die(home: Path, app: str, reviewer: str, text: str) -> None:
    """As an application that is killed the moment a draft is kept."""
    item = claim(home, app, "", reviewer)
    assert item is not None
    save_draft(home, item.id, reviewer, Draft(correction=text))
    os.kill(os.getpid(), signal.SIGKILL)
