"""What a run will use in any case, loaded while its Prefect server starts: that takes seconds in
which this process would only wait.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llmops.configs.section import FlowConfig
from llmops.tasks import stopping

if TYPE_CHECKING:
    from llmops.configs.index import IndexConfig
    from llmops.flows.calling import HouseFlow


def flow_of(config: FlowConfig) -> "HouseFlow[..., object]":
    """The Prefect flow that a config is for. Prefect reads its settings when this imports it."""
    name = config.flow_name()
    flow: HouseFlow[..., object] = getattr(import_module(f"llmops.flows.{name}"), name)
    return flow


def loads(home: Path, config: FlowConfig) -> Iterator[Callable[[], object]]:
    """What to call, one after the other, for as long as there is time."""
    yield partial(flow_of, config)
    if config.flow_name() == "index":
        for load in _of_first_build(home, cast("IndexConfig", config)):
            yield partial(_tried, load)


def _of_first_build(home: Path, config: "IndexConfig") -> Iterator[Callable[[], object]]:
    """A later build may find nothing to do, and use none of it."""
    from llmops.tasks import tracking
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.plugins.embedders import Embedder
    from llmops.tasks.plugins.stores import Store
    from llmops.tasks.validation.library import great_expectations

    if Handle(home=home, name=config.knowledge_base).live() is None:
        yield great_expectations
        yield partial(tracking.load, home)
        yield lambda: config.store.build(Store).load()
        yield lambda: config.embed.build(Embedder).load()


def _tried(load: Callable[[], object]) -> None:
    """What fails here comes again where the run needs it, and is told there."""
    try:
        load()
    except Exception:
        if stopping.asked():  # a library has made an error of an interrupt
            raise
