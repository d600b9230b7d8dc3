"""LLMOps as scheduled, observable pipelines. Importing this imports nothing else: what lies below
is imported when it is used.

`from llmops import KnowledgeBase` reads a knowledge base. `from llmops import index, evaluate,
finetune, monitor, nightly` gives the flows as functions. `llmops.integrations` has the same for
LlamaIndex, LangChain and Haystack. `llmops.flows`, `llmops.tasks`, `llmops.configs` and
`llmops.deployments` are the folders of the same names beside this one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmops.flows.evaluate import evaluate
    from llmops.flows.finetune import finetune
    from llmops.flows.index import index
    from llmops.flows.monitor import monitor
    from llmops.flows.nightly import nightly
    from llmops.knowledge_base import KnowledgeBase
    from llmops.results import Document, Explanation, Passage, Status

__all__ = [
    "Document",
    "Explanation",
    "KnowledgeBase",
    "Passage",
    "Status",
    "evaluate",
    "finetune",
    "index",
    "monitor",
    "nightly",
]
PLACES = {
    **dict.fromkeys(("Document", "Explanation", "Passage", "Status"), "llmops.results"),
    "KnowledgeBase": "llmops.knowledge_base",
    **{
        name: f"llmops.flows.{name}"
        for name in ("evaluate", "finetune", "index", "monitor", "nightly")
    },
}


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
