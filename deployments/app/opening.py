"""The true parts of an application, opened in the order in which they stand on each other."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmops.configs.serve import ServeConfig
from llmops.deployments.app.budgets import RequestBudgets
from llmops.deployments.app.metrics import Metrics
from llmops.deployments.app.services import Services
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.traces.writer import TraceWriter

log = logging.getLogger("llmops.app")


@asynccontextmanager
async def opened(config: ServeConfig, home: Path, metrics: Metrics) -> AsyncIterator[Services]:
    """Raises UsageError, ConfigError or Unavailable for a prompt or a model that cannot be used. A
    knowledge base that is not there yet is told in the log, and waited for.
    """
    budgets = RequestBudgets(config, home)
    async with (
        TraceWriter(home, config.app, config.traces) as writer,
        ChatEngine(config.app_spec(home)) as engine,
    ):
        services = Services(
            config=config,
            home=home,
            engine=engine,
            knowledge=engine.knowledge,
            traces=writer,
            budgets=budgets,
            metrics=metrics,
        )
        for name, state in (await engine.knowledge.ready()).items():
            if state.version is None:
                log.warning("knowledge base %s cannot be read: %s", name, state.trouble)
        try:
            yield services
        finally:
            await services.trials.close()
            await budgets.close()
