"""Passages of documents that were erased after an evaluation was shown them."""

from collections.abc import Callable
from pathlib import Path

from llmops.tasks.evaluation.results import Result
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.suppressed import suppressed_hashes, uri_hash


def shows_erased(home: Path, run: EvaluationRun) -> Callable[[Result], bool]:
    """Whether a result was shown a document that is erased by now."""
    bases = {arm.name: arm.retrieve.knowledge_base for arm in run.arms if arm.retrieve}
    gone = {name: suppressed_hashes(Handle(home=home, name=name)) for name in set(bases.values())}

    def erased(result: Result) -> bool:
        base = bases.get(result.arm)
        if base is None or not gone[base]:
            return False
        return any(uri_hash(base, passage.uri) in gone[base] for passage in result.passages)

    return erased
