"""The side of a system: what the harness starts in processes of its own, with the interpreter that
has the system installed.

    python -m benchmarks.faults.side MODULE about|run|read|start|stop [argument]
"""

import importlib
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.faults.adapter import Adapter

SNAPSHOTS, BEAT, STOP = Path("snapshots.jsonl"), Path("beat"), Path("stop")
LONGEST_SECONDS = 900


def about(adapter: Adapter) -> None:
    """One JSON line: what it is, with versions. A package that is absent ends with code 3."""
    packages = {name: version(name) for name in adapter.packages}
    told = {
        "title": adapter.title,
        "setup": adapter.setup,
        "store": adapter.store,
        "state": list(adapter.state),
        "loads": list(adapter.loads),
        "versions": packages | {"python": platform.python_version()},
    }
    print(json.dumps(told))


def read(adapter: Adapter) -> None:
    """Search without pause until a file `stop` is there. What is found goes to
    `snapshots.jsonl` when it is another than before; `beat` holds when the last search began.
    """
    until, last = time.monotonic() + LONGEST_SECONDS, None
    with SNAPSHOTS.open("a") as file:
        while not STOP.exists() and time.monotonic() < until:
            began = time.time()
            rows, error = searched(adapter)
            if (rows, error) != last:
                file.write(json.dumps({"at": began, "rows": rows, "error": error}) + "\n")
                file.flush()
                last = rows, error
            BEAT.with_suffix(".new").write_text(str(began))
            BEAT.with_suffix(".new").replace(BEAT)


def searched(adapter: Adapter) -> tuple[list[tuple[str, str]], str]:
    """What one search finds; a search that fails has found nothing."""
    try:
        return sorted((uri, text) for uri, text in adapter.search()), ""
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody has found anything
        return [], f"{type(error).__name__}: {error}"[:300]


def main(module: str, work: str, argument: str = "") -> None:
    adapter: Adapter = importlib.import_module(module).ADAPTER
    if work == "run":
        adapter.run(int(argument))
    elif work == "read":
        read(adapter)
    elif work == "start":
        print(json.dumps(dict(adapter.start(Path(argument)))))
    elif work == "stop":
        adapter.stop(Path(argument))
    else:
        about(adapter)


if __name__ == "__main__":
    main(*sys.argv[1:])
