"""Trained models of an application: followed when their alias moves, kept when it cannot be used,
and told in traces.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.live_models import LiveModel
from llmops.tasks.chat.turn import Turn
from llmops.tasks.errors import UsageError
from llmops.tasks.models.moving import promote, rollback
from llmops.tasks.plugins import Spec
from llmops.tasks.traces.names import TRAINED
from tests.chat.apps import TALL, Record, Towers
from tests.models.made import DECISION, made, trained
from tests.openai_server import Service
from tests.shelf import empty_store

LIVE = "models:/guide@live"


@pytest.fixture
def home(towers: Towers) -> Path:
    (towers.home / "mlflow").mkdir(exist_ok=True)
    shutil.copy(empty_store(), towers.home / "mlflow" / "mlflow.db")
    return towers.home


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def registered(home: Path, service: Service) -> None:
    """The versions `ft:1` and `ft:2`; the first one is live."""
    for number in (1, 2):
        place = {"name": "openai", "model": f"ft:{number}", "base_url": service.base_url}
        made(home, trained(home, name="guide", spec=place))
    promote(home, "guide", 1, DECISION, None)


def test_the_live_version_answers_and_stands_in_the_trace(
    towers: Towers, home: Path, service: Service
) -> None:
    llm = {"name": "openai", "model": LIVE}
    with pytest.raises(UsageError, match="no trained model 'guide'"):
        towers.ask(TALL, llm=llm)
    registered(home, service)

    async def both(engine: ChatEngine) -> None:
        assert list(engine.choices) == [LIVE]
        for model in engine.live.every:
            model._seconds = 0
        for number in (1, 2):
            record = Record(number)
            answered = await engine.answer(Turn(question=TALL), record)
            assert answered.model == f"ft:{number}"
            assert answered.trained == f"models:/guide/{number}"
            assert record["generate"].attributes[TRAINED] == answered.trained
            if number == 1:
                promote(home, "guide", 2, DECISION, 1)
                until(lambda: engine.live.every[0].current().trained == "models:/guide/2")
        assert engine.live.stuck == ()

    towers.run(both, llm=llm)
    assert [body["model"] for _, body, _ in service.requests] == ["ft:1", "ft:2"]


def test_a_version_that_cannot_be_used_leaves_the_last_one_at_work(
    home: Path, service: Service
) -> None:
    registered(home, service)
    other = trained(home, name="guide", spec={"name": "litellm", "model": "x"})
    made(home, other)
    spec = Spec(name="openai", options={"model": LIVE})
    live = asyncio.run(LiveModel(home, spec, {}, seconds=0).start())
    assert live.current().llm.title == "ft:1"
    promote(home, "guide", 3, DECISION, 1)
    until(lambda: "is served by the plugin litellm" in (live.current() and live.trouble))
    assert live.current().trained == "models:/guide/1"
    assert rollback(home, "guide")["version"] == 1
    until(lambda: bool(live.current()) and not live.trouble)
