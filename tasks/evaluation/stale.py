"""Cases that expect documents which the knowledge bases of their arms do not have (any more)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.evaluation.run import EvaluationSpec
from llmops.tasks.knowledge.absent import absent_warning
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.schemas import paths_of


class Evaluating(Protocol):
    """A config of an evaluation."""

    def evaluation_spec(self) -> EvaluationSpec: ...


def case_warnings(
    home: Path, cases: Sequence[Case], versions: Iterable[tuple[str, int]]
) -> list[str]:
    """A warning per version that lacks documents which `expected.uris` of cases name."""
    named: dict[str, str] = {}
    for case in cases:
        for uri in _listed(case.expected.get("uris")):
            named.setdefault(str(uri), f"case {case.id!r}")
    return [
        warning
        for name, version in sorted(set(versions))
        for warning in absent_warning(
            Handle(home=home, name=name), version, named, "the cases name"
        )
    ]


def stale_cases(home: Path, config: Evaluating) -> list[str]:
    """The same for a config that is only looked at; versions that are not there are passed over."""
    spec = config.evaluation_spec()
    asked = {
        (arm.retrieve.knowledge_base, arm.retrieve.version)
        for arm in spec.arms.values()
        if arm.retrieve
    }
    versions = []
    for name, number in asked:
        live = Handle(home=home, name=name).live()
        if live is not None:
            versions.append((name, number or live.version))
    return case_warnings(home, read_cases(*paths_of(spec.folder, spec.cases)).cases, versions)


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()
