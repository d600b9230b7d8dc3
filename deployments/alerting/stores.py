"""Whether what is live can be read: each knowledge base is opened at its live version and searched,
in a process of its own, since that takes the store's libraries.

`python -m llmops.deployments.alerting.stores HOME` prints a JSON object: knowledge base -> what is
wrong with it, "" for nothing.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.deployments.up.registering import child
from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.errors import LlmopsError

if TYPE_CHECKING:
    from llmops.tasks.knowledge.handle import Handle

MODULE = "llmops.deployments.alerting.stores"
RULE = "store-down"
EVERY = timedelta(minutes=15)
AGAIN = timedelta(minutes=1)
"""While a store is down."""
WORD = "the"
"""Whatever is searched for takes the same files."""


class StoresWatch:
    """Looks every EVERY, at once where somebody has a reason, and every AGAIN while one is down.
    `look`: says what is wrong with each knowledge base of a home; raises LlmopsError.
    """

    def __init__(self, look: Callable[[Path], Mapping[str, str]] | None = None) -> None:
        self._look = look or beside
        self._looked: datetime | None = None
        self._last = Observation()

    def observation(self, home: Path, at: datetime, *, reason: bool) -> Observation:
        """As things stand, by the last look. `reason`: a run has failed since."""
        if reason or self._due(at):
            self._looked = at
            try:
                self._last = _observed(self._look(home))
            except LlmopsError as error:
                told = f"the stores: {error}"
                self._last = Observation(unknown=(f"{RULE}/",), problems=(told,))
        return self._last

    def _due(self, at: datetime) -> bool:
        pause = AGAIN if self._last.conditions or self._last.unknown else EVERY
        return self._looked is None or abs(at - self._looked) >= pause


def _observed(wrong: Mapping[str, str]) -> Observation:
    return Observation(
        conditions=tuple(
            Condition(
                rule=RULE,
                subject=name,
                severity="critical",
                message=f"the live version cannot be read: {message}",
                hint=f"`llmops kb verify {name}` says what is missing, `llmops kb repair {name}` "
                "mends it without embedding again",
            )
            for name, message in sorted(wrong.items())
            if message
        )
    )


def beside(home: Path) -> dict[str, str]:
    """`readable`, in a process of its own. Raises LlmopsError."""
    if not home.is_dir():
        return {}
    given = {"LLMOPS_HOME": str(home)}
    ended = child("looking at them", ["-m", MODULE, str(home)], given, home)
    try:
        found: dict[str, str] = json.loads(ended.stdout.splitlines()[-1])
    except (ValueError, LookupError) as error:
        raise LlmopsError(f"what was found cannot be read: {error!r}") from error
    return found


def readable(home: Path) -> dict[str, str]:
    """Opens every live version. What is wrong is said in a line."""
    # only now: this takes the libraries of plugins
    from llmops.tasks.knowledge.handle import Handle, live_names
    from llmops.tasks.ledger import existing_ledger

    names = live_names(existing_ledger(home))
    return {name: _wrong(Handle(home=home, name=name)) for name in names}


def _wrong(kb: "Handle") -> str:
    """Why a search of a knowledge base would fail; "" where it would not."""
    from llmops.tasks.knowledge.reading import collection_of, store_of

    try:
        live = kb.published()
        folder = store_of(live).folder(kb.home)
        if folder is not None and not _has(folder, live.collection):
            return f"{folder / live.collection} is gone"  # to open it would make an empty one
        if live.snapshot is not None:
            collection_of(kb.home, live).at(live.snapshot).text([WORD], 1)
    except LlmopsError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - of a library of a store: what it says is the finding
        said = str(error).strip().splitlines()
        return f"{type(error).__name__}: {said[0] if said else ''}"
    return ""


def _has(folder: Path, collection: str) -> bool:
    try:
        there = {each.name for each in folder.iterdir()}
    except OSError:
        return False
    return any(each == collection or each.startswith(f"{collection}.") for each in there)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(readable(Path(sys.argv[1]))) + "\n")
