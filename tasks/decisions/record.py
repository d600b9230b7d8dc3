"""The record of a decision: made from the parts of a run, kept as one JSON file below the home and
as a row of the ledger, complete enough to compute the verdict again from it alone.
"""

import json
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from llmops.tasks.decisions.decision import (
    FAMILY,
    KIND,
    NEWEST,
    AliasWanted,
    BudgetGiven,
    CaseCount,
    Content,
    Decision,
    PromptUsed,
    RecordedArm,
    Spending,
    Verdict,
)
from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.gathering import gathered
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import chosen_of, decide, error_rate, failing, judge
from llmops.tasks.errors import Blocked, Damaged, LlmopsError, UsageError
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import RunPart
from llmops.tasks.evaluation.run import Arm, EvaluationRun
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import decisions

PACKAGES = ("llmops-pipelines", "numpy", "scipy", "pydantic", "httpx")
FOLDER = "decisions"
SHORT = 80
NAMED_CASES = 8


def make_record(
    run: EvaluationRun,
    rule: Rule,
    parts: Sequence[RunPart],
    cases: CaseSet,
    *,
    config: Mapping[str, Any],
    config_sha256: str,
    promote: Mapping[str, str] | None = None,
    untrusted: Mapping[str, str] | None = None,
    prefect_run_id: str | None = None,
    began: datetime | None = None,
    warnings: Sequence[str] = (),
    stopped: str | None = None,
) -> Decision:
    """The decision on finished parts. `untrusted`: metrics that may not decide, and why; None: asks
    the calibrations of the home.
    """
    evidence = gathered(run, rule, parts, cases, untrusted, stopped or "")
    verdict, now = decide(evidence), datetime.now(UTC)
    return Decision(
        kind=KIND,
        flow="evaluate",
        id=run.id,
        name=run.name,
        sha256="",
        created_at=now.isoformat(),
        **{name: getattr(verdict, name) for name in Verdict.model_fields if name != "arms"},
        arms=_arms(run, verdict),
        baseline=run.baseline,
        rule=rule,
        promote=AliasWanted(**promote) if promote else None,
        metrics=evidence.metrics,
        pairs=evidence.pairs,
        untrusted=evidence.untrusted,
        repeats=run.repeats,
        stopped=evidence.stopped or None,
        dataset_sha256=cases.sha256,
        cases=CaseCount(total=len(cases.cases), used=len(evidence.pairs.cases)),
        prompts={arm.name: arm.prompt.uri for arm in run.arms},
        config=dict(config),
        config_sha256=config_sha256,
        budget=BudgetGiven(usd=run.budget_usd, calls=run.budget_calls),
        spent=_spending(parts),
        seconds=round((now - began).total_seconds(), 3) if began else None,
        versions=versions(),
        warnings=[*warnings, *_warnings(evidence, sum(part.cases for part in parts))],
        prefect_run_id=prefect_run_id,
        links={},
    ).sealed()


def settled(
    run: EvaluationRun,
    rule: Rule,
    parts: Sequence[RunPart],
    cases: CaseSet,
    untrusted: Mapping[str, str] | None = None,
) -> str | None:
    """Why the parts so far suffice: the verdict would be promote or reject. None: go on, or the
    rule does not look early.
    """
    if not rule.stop_early or not parts:
        return None
    evidence = gathered(run, rule, parts, cases, untrusted)
    word = chosen_of(judge(evidence)).verdict
    if word == "inconclusive":
        return None
    return f"the answer is clear after {len(evidence.pairs.cases):,} cases: {word}"


def _spending(parts: Sequence[RunPart]) -> Spending:
    if not parts:
        return Spending(calls=0, cached=0, tokens=0, cost_usd=0.0)
    return Spending(**max(parts, key=lambda part: part.number).spent.model_dump())


def _arms(run: EvaluationRun, verdict: Verdict) -> dict[str, RecordedArm]:
    """What each arm was, beside what it did."""
    return {
        arm.name: RecordedArm.model_validate(
            {
                **verdict.arms[arm.name].content(),
                "prompt": _prompt(arm),
                "llm": arm.llm.short(),
                **({"trained": arm.trained} if arm.trained else {}),
                "retrieve": arm.retrieve.model_dump(mode="json") if arm.retrieve else None,
            }
        )
        for arm in run.arms
    }


def _prompt(arm: Arm) -> PromptUsed:
    resolved = arm.prompt
    return PromptUsed(
        uri=resolved.uri,
        name=resolved.prompt.name,
        sha256=resolved.prompt.sha256,
        version=resolved.version,
        alias=resolved.alias,
    )


def _warnings(evidence: Evidence, seen: int) -> Iterator[str]:
    """Arms of which too many calls failed, cases that do not count, and timed metrics that leave
    some out. `seen`: the cases of all parts.
    """
    for name in failing(evidence):
        rate = 100 * error_rate(evidence, name)
        yield f"{name}: {rate:.1f} % of the calls failed or could not be judged"
    if seen > len(evidence.pairs.cases):
        yield (
            f"{seen - len(evidence.pairs.cases)} of {seen} cases were not asked of every arm "
            f"before the run stopped, and do not count"
        )
    for name in evidence.candidates:
        of = f" of {name}" if len(evidence.candidates) > 1 else ""
        for metric in (metric for metric, kind in evidence.metrics.items() if kind.timed):
            pairs = evidence.selected(name, metric)
            count = len(pairs.candidate)
            if pairs.apart:
                yield (
                    f"{metric}{of} compares {count:,} of {count + pairs.apart:,} cases: in the "
                    f"others the arms were asked at different times (remembered replies)"
                )


def versions() -> dict[str, str]:
    """Of the packages that the numbers depend on, and of Python."""
    known = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            known[name] = "not installed"
    return known


def save(home: Path, decision: Decision) -> Decision:
    """Write the record's file, whole or not at all, and its row in the ledger; saved again it takes
    the place of the first.

    Returns the decision with `record`, the path of the file. Raises LlmopsError when the home
    cannot be written.
    """
    path = home / FOLDER / f"{decision.id}.json"
    whole = decision.model_copy(update={"record": str(path)}).sealed()
    content = whole.content()
    _write(path, content)
    row = {
        "id": whole.id,
        "name": whole.name,
        "sha256": whole.sha256,
        "verdict": whole.verdict,
        "record": content,
        "mlflow_run_id": whole.mlflow_run_id,
        "created_at": datetime.fromisoformat(whole.created_at),
    }
    with open_ledger(home).write() as connection:
        connection.execute(delete(decisions).where(decisions.c.id == whole.id))
        connection.execute(insert(decisions).values(row))
    return whole


def _write(path: Path, record: Content) -> None:
    data = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        data.encode()
    except UnicodeEncodeError:
        # half of a surrogate pair, from a case's id or an error: escapes keep it
        data = json.dumps(record, indent=1, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".new", delete=False
        ) as file:
            file.write(data + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise LlmopsError(
            f"the decision cannot be written: {error.strerror or error}",
            where=str(path),
            hint="free some space, or set LLMOPS_HOME to a folder that you may write to",
        ) from error


def load(path: Path) -> Content:
    """The record in a file, of which nothing is known but its kind. Raises UsageError where there
    is none or a newer one, Damaged where the file is cut or no JSON.
    """
    if not path.is_file():
        raise UsageError(
            f"no such file: {path}",
            hint="decisions lie in LLMOPS_HOME/decisions; `llmops decision list` names them",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Damaged(
            f"not a decision record, or cut off: {error}",
            where=str(path),
            hint="take the file that the evaluation wrote, or decision.json of its MLflow run",
        ) from error
    kind = content.get("kind") if isinstance(content, dict) else None
    family, _, number = str(kind).partition("/")
    if family != FAMILY or not re.fullmatch("[1-9][0-9]{0,5}", number):
        raise UsageError(
            f"not a decision record: its kind is {short(kind)}, wanted is {short(KIND)}",
            where=str(path),
        )
    if int(number) > NEWEST:
        raise UsageError(
            f"this record is of the kind {kind}, which a newer llmops wrote; known here: {KIND}",
            where=str(path),
            hint="upgrade llmops-pipelines",
        )
    return dict(content)


def _once(pairs: list[tuple[str, Any]]) -> Content:
    """A JSON object of which no key stands twice: readers differ in which of two they take."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {short(twice)} stands in it twice")
    return content


def short(value: object) -> str:
    """A value as JSON, cut."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def known(home: Path, sha256: str) -> bool:
    """Whether this home's ledger holds a decision with that hash."""
    wanted = select(decisions.c.id).where(decisions.c.sha256 == sha256).limit(1)
    with existing_ledger(home).read() as connection:
        return connection.execute(wanted).first() is not None


def listed(home: Path, name: str | None = None) -> list[Content]:
    """The decisions of this home, newest first."""
    columns = [
        decisions.c[column]
        for column in ("id", "name", "verdict", "created_at", "sha256", "mlflow_run_id")
    ]
    wanted = select(*columns).order_by(decisions.c.created_at.desc(), decisions.c.id)
    if name is not None:
        wanted = wanted.where(decisions.c.name == name)
    with existing_ledger(home).read() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [
        {**row, "created_at": row["created_at"].replace(tzinfo=UTC).isoformat()} for row in rows
    ]


def find(home: Path, decision: str) -> Content | None:
    """The record with that id as the ledger holds it, or None."""
    with existing_ledger(home).read() as connection:
        return connection.execute(
            select(decisions.c.record).where(decisions.c.id == decision)
        ).scalar_one_or_none()


def changed_cases(home: Path, name: str, cases: CaseSet) -> list[str]:
    """Ids of cases that say something else than at the last decision of that name; cases that came
    or went do not count.
    """
    wanted = (
        select(decisions.c.record)
        .where(decisions.c.name == name)
        .order_by(decisions.c.created_at.desc())
        .limit(1)
    )
    with existing_ledger(home).read() as connection:
        last = connection.execute(wanted).scalar_one_or_none()
    if last is None:
        return []
    before = dict(zip(last["pairs"]["cases"], last["pairs"]["sha256"], strict=True))
    return [case for case, now in cases.hashes().items() if before.get(case, now) != now]


def guard_cases(home: Path, name: str, cases: CaseSet) -> None:
    """Raises Blocked when cases kept their ids but not their content since the last decision: old
    and new would not compare.
    """
    changed = changed_cases(home, name, cases)
    if changed:
        shown = ", ".join(changed[:NAMED_CASES]) + (
            f" and {len(changed) - NAMED_CASES} more" if len(changed) > NAMED_CASES else ""
        )
        count = "1 case says" if len(changed) == 1 else f"{len(changed)} cases say"
        raise Blocked(
            f"{count} something else than at the last decision of {name!r}: {shown}",
            hint="give changed cases new ids, or allow it once with --accept-cases",
        )
