"""A trained model as it is now: the version that its alias means. No request waits for the
registry.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmops.tasks.calls.prices import Price, price_of, read_prices
from llmops.tasks.chat.models import OFFLINE, SERVED, ServedModel
from llmops.tasks.errors import LlmopsError
from llmops.tasks.models.references import is_reference, pinned, refers
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import llm_of

log = logging.getLogger(__name__)
SECONDS = 10.0
"""How long a version is believed to be the live one."""


class LiveModel:
    """A model of a config. One that no registry has stays what it is; of a trained one the version
    that is live is asked for again every so many `seconds`, in a thread of its own.
    """

    def __init__(
        self, home: Path, spec: Spec, prices: Mapping[str, Price], *, seconds: float = SECONDS
    ) -> None:
        self._home, self._spec, self._prices, self._seconds = home, spec, prices, seconds
        self._follows = refers(spec)
        self._model: ServedModel | None = None
        self._asked, self.trouble = 0.0, ""
        self._refreshing = threading.Lock()

    async def start(self) -> "LiveModel":
        """Look it up for the first time. Raises what is wrong with its options, UsageError for a
        model that there is not, Damaged for changed files, Unavailable.
        """
        self._model = await asyncio.to_thread(self._read) if self._follows else self._read()
        self._asked = time.monotonic()
        return self

    @property
    def name(self) -> str:
        """What it is chosen by: the reference, else the model's title."""
        named = [str(value) for value in self._spec.options.values() if is_reference(value)]
        return named[0] if named else self.current().title

    def current(self) -> ServedModel:
        """The last good version, at once."""
        if self._model is None:
            raise RuntimeError("a live model is started first")
        due = self._follows and time.monotonic() - self._asked >= self._seconds
        if due and self._refreshing.acquire(False):
            threading.Thread(target=self._refresh, name="model", daemon=True).start()
        return self._model

    def _refresh(self) -> None:
        try:
            self._model = self._read()
            self.trouble = ""
        except LlmopsError as error:
            if not self.trouble:
                log.warning("the model %s stays as it is: %s", self.name, error)
            self.trouble = str(error)
        finally:
            self._asked = time.monotonic()
            self._refreshing.release()

    def _read(self) -> ServedModel:
        spec, versions = (
            pinned(self._home, self._spec, "llm") if self._follows else (self._spec, ())
        )
        llm = llm_of(Spec(name=spec.name, options={**SERVED, **spec.options}))
        price, offline = price_of(llm, self._prices), spec.name == OFFLINE
        return ServedModel(llm, price, offline, "".join(versions[:1]))


class LiveModels:
    """All models of an application."""

    def __init__(self, home: Path, prices: Path) -> None:
        self._home, self._prices = home, prices
        self.every: list[LiveModel] = []

    async def started(self, specs: Sequence[Spec]) -> list[LiveModel]:
        """These, looked up. Raises as `LiveModel.start` does."""
        prices = read_prices(self._prices)
        found = [await LiveModel(self._home, spec, prices).start() for spec in specs]
        self.every += found
        return found

    @property
    def stuck(self) -> tuple[str, ...]:
        """Trained models whose live version could not be asked for, or not be used: an earlier one
        is asked.
        """
        return tuple(model.name for model in self.every if model.trouble)
