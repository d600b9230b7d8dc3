"""Runs one piece of work of a workshop in a process of its own and kills it when it reaches a
chosen call.

python -m tests.crash '{"folder": …, "kb": …, "store": …, "work": "build", "texts": …}'
module:attribute.path before|after [n]
"""

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import forks
from tests.killer import arm
from tests.workshop import Workshop


def killed(
    shop: Workshop,
    work: str,
    place: str,
    when: str,
    turn: int = 1,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Do it in another process, which dies of SIGKILL at that place. `work`: build, repair or
    gc.
    """
    order = {
        "folder": str(shop.folder),
        "kb": shop.kb,
        "store": shop.store.short(),
        "work": work,
        "texts": dict(texts or {}),
    }
    ended = forks.run("-m", "tests.crash", json.dumps(order), place, when, str(turn))
    assert ended.returncode == -signal.SIGKILL, (
        (place, when, turn) if ended.returncode == 0 else ended.stderr[-2000:]
    )


def main(order: str, place: str, when: str, turn: str) -> None:
    """What the other process does."""
    sys.path.insert(0, str(Path(__file__).parent / "plugin_package"))
    from llmops.tasks.maintenance.garbage import gc
    from llmops.tasks.maintenance.repair import repair
    from llmops.tasks.plugins import Spec

    given = json.loads(order)
    shop = Workshop(Path(given["folder"]), Spec.model_validate(given["store"]), given["kb"])
    arm(place, when, int(turn))
    if given["work"] == "build":
        shop.build(given["texts"], keep=1)
    elif given["work"] == "repair":
        repair(shop.handle)
    else:
        gc(shop.handle, paid=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
