"""The ledger that a command reads: asking creates nothing."""

from typing import Any


def ledger() -> Any:
    """The ledger of this home; an empty one in memory where there is none yet, so that a question
    leaves no trace.
    """
    from llmops.configs.settings import settings
    from llmops.tasks.ledger import existing_ledger

    return existing_ledger(settings().absolute_home)
