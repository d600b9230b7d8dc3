"""Homes with an empty prompt registry, and decisions about prompts that real evidence was computed
for.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.record import make_record, save
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.cases import CaseSet, hash_of
from llmops.tasks.evaluation.results import Result, RunPart, write_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.scorers import Case, Score
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking.store import opened, prepare, tracking_uri
from tests.ledgers import with_ledger

RULE = Rule(metric="exact_match")


def empty_store() -> Path:
    """An empty MLflow store to be copied: making one takes seconds, so the workers of a session
    share it.
    """
    folder = Path(os.environ["LLMOPS_TESTS_SHARED"])
    prepare(folder)
    return folder / "mlflow" / "mlflow.db"


def fresh_home(folder: Path) -> Path:
    """A home whose registry and ledger are empty."""
    (folder / "home" / "mlflow").mkdir(parents=True)
    shutil.copy(empty_store(), folder / "home" / "mlflow" / "mlflow.db")
    return with_ledger(folder / "home")


def prompt(text: str = "Answer: {{question}}", name: str = "helpdesk", **more: Any) -> Prompt:
    return Prompt.model_validate(
        {"name": name, "messages": [{"role": "user", "content": text}], **more}
    )


def decided(
    home: Path,
    baseline: Resolved,
    candidate: Resolved,
    *,
    better: bool = True,
    promote: dict[str, str] | None = None,
    run: str = "t1",
    saved: bool = True,
) -> dict[str, Any]:
    """The record of an evaluation in which the candidate answers 36 of 40 cases and the baseline 8,
    or the other way round.
    """
    wanted = {"prompt": "helpdesk", "alias": "champion"} if promote is None else promote
    evaluation = EvaluationRun(
        home=home,
        name="helpdesk",
        id=run,
        folder=home / run,
        baseline="baseline",
        scorers=(Spec(name="exact_match"),),
        arms=(
            Arm(name="baseline", prompt=baseline, llm=Spec(name="extractive")),
            Arm(name="candidate", prompt=candidate, llm=Spec(name="extractive")),
        ),
    )
    cases = tuple(Case(id=f"c{number}", inputs={"question": f"q{number}"}) for number in range(40))
    right = {"candidate": 36, "baseline": 8} if better else {"candidate": 8, "baseline": 36}
    write_results(evaluation.folder / "scored-0001.parquet", _results(cases, right))
    part = RunPart(
        number=1,
        file=evaluation.folder / "scored-0001.parquet",
        cases=len(cases),
        spent=Spent(calls=80),
    )
    config = {"decide": RULE.model_dump(mode="json"), "promote": wanted or None}
    record = make_record(
        evaluation,
        RULE,
        [part],
        CaseSet(cases=cases, sha256=sha256("".join(map(hash_of, cases)))),
        config=config,
        config_sha256=sha256(canonical(config)),
        promote=wanted or None,
        untrusted={},
    )
    return (save(home, record) if saved else record).content()


def _results(cases: Sequence[Case], right: Mapping[str, int]) -> list[Result]:
    """`right`: how many of the cases, from the first one, each arm answers."""
    return [
        Result(
            case_id=case.id,
            arm=arm,
            answer="a",
            latency_ms=1 + number % 3,
            scores={"exact_match": Score(value=float(number < right[arm]))},
        )
        for number, case in enumerate(cases)
        for arm in ("baseline", "candidate")
    ]


def tamper(home: Path, version: int, tag: str, value: str, name: str = "helpdesk") -> None:
    """Change a version as MLflow's interface lets everybody do."""
    with opened(home, tracking_uri(home)) as client:
        client.set_prompt_version_tag(name, version, tag, value)
        _close(client)


def point(home: Path, version: int | None, alias: str = "champion", name: str = "helpdesk") -> None:
    """Set an alias, or remove it, without llmops."""
    with opened(home, tracking_uri(home)) as client:
        if version is None:
            client.delete_prompt_alias(name, alias)
        else:
            client.set_prompt_alias(name, alias, version)
        _close(client)


def _close(client: Any) -> None:
    client._get_registry_client().store.engine.dispose()
