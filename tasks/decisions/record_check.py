"""Whether a decision record stands: everything is computed again from what it holds, and compared
with what it says.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import decide
from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.plugins import canonical
from llmops.tasks.schemas import sha256

FAMILY, NEWEST = "llmops.decision", 1
KIND = f"{FAMILY}/{NEWEST}"
LATER = ("sha256", "links", "record", "mlflow_run_id", "prefect_run_id", "promoted", "remarks")
"""What is added to a record after the decision, and not covered by its hash."""
WORDS = ("reason", "note")
TOLERANCE = 1e-7
NEEDED = (
    "id",
    "name",
    "verdict",
    "reason",
    "metric",
    "candidate",
    "baseline",
    "rule",
    "arms",
    "comparisons",
    "metrics",
    "pairs",
    "cases",
    "untrusted",
    "looks",
    "dataset_sha256",
    "config_sha256",
    "prompts",
    "promote",
    "sha256",
)
MOST = 20


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its hash; the one it had before is not looked at."""
    return {**record, "sha256": seal(record)}


def seal(record: Mapping[str, Any]) -> str:
    """SHA-256 of the record's JSON with sorted keys, without what is added later."""
    return sha256(canonical({name: value for name, value in record.items() if name not in LATER}))


def load(path: Path) -> dict[str, Any]:
    """The record in a file. Raises UsageError where there is none or a newer one, Damaged where the
    file is cut or no JSON.
    """
    if not path.is_file():
        raise UsageError(
            f"no such file: {path}",
            hint="decisions lie in LLMOPS_HOME/decisions; `llmops decision list` names them",
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Damaged(
            f"not a decision record, or cut off: {error}",
            where=str(path),
            hint="take the file that the evaluation wrote, or decision.json of its MLflow run",
        ) from error
    kind = found.get("kind") if isinstance(found, dict) else None
    family, _, number = str(kind).partition("/")
    if family != FAMILY or not re.fullmatch("[1-9][0-9]{0,5}", number):
        raise UsageError(
            f"not a decision record: its kind is {_short(kind)}, wanted is {_short(KIND)}",
            where=str(path),
        )
    if int(number) > NEWEST:
        raise UsageError(
            f"this record is of the kind {kind}, which a newer llmops wrote; known here: {KIND}",
            where=str(path),
            hint="upgrade llmops-pipelines",
        )
    return dict(found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of which no key stands twice: readers differ in which of two they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"the key {_short(next(name for name in names if names.count(name) > 1))} "
            f"stands in it twice"
        )
    return found


def verify(path: Path) -> dict[str, Any]:
    """What `llmops decision verify` prints. Raises as `load`."""
    record = load(path)
    problems = recomputed(record)
    return {
        "ok": not problems,
        "verdict": record.get("verdict"),
        "id": record.get("id"),
        "name": record.get("name"),
        "problems": problems,
    }


def recomputed(record: Mapping[str, Any]) -> list[str]:
    """What does not stand, as sentences; empty: all of it does. Raises nothing, whatever the record
    holds.
    """
    try:
        return _problems(record)
    except RecursionError:
        return ["it is nested too deeply to be read"]


def _problems(record: Mapping[str, Any]) -> list[str]:
    if missing := [name for name in NEEDED if name not in record]:
        return [f"the record lacks {', '.join(missing)}"]
    problems = (
        []
        if record["sha256"] == seal(record)
        else ["the record was changed: its sha256 is not that of its content"]
    )
    try:
        evidence = evidence_of(record)
        found = decide(evidence)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ArithmeticError,
    ) as error:  # whatever somebody wrote into it
        return [*problems, f"its evidence cannot be read: {first(error)}"]
    claims = {**found.numbers, "verdict": found.verdict, "candidate": found.candidate}
    problems += list(_differences(claims, record, ""))[:MOST]
    return problems + list(_strangers(record, evidence))


def evidence_of(record: Mapping[str, Any]) -> Evidence:
    """What the record was computed from. Raises pydantic's ValidationError, KeyError, TypeError."""
    return Evidence.model_validate(
        {
            "rule": record["rule"],
            "baseline": record["baseline"],
            "arms": tuple(record["arms"]),
            "metrics": record["metrics"],
            "pairs": record["pairs"],
            "untrusted": record["untrusted"],
            "looks": tuple(look["cases"] for look in record["looks"]),
            "total": record["cases"]["total"],
            "stopped": record.get("stopped") or "",
        }
    )


def _differences(computed: Any, claimed: Any, where: str) -> Iterator[str]:
    """Where the record says something else than what is computed; sentences may be worded
    differently.
    """
    if isinstance(computed, Mapping):
        for name, value in computed.items():
            place = f"{where}.{name}".lstrip(".")
            if name in WORDS and isinstance(value, str):
                continue
            if not isinstance(claimed, Mapping) or name not in claimed:
                yield f"{place} is missing"
            else:
                yield from _differences(value, claimed[name], place)
        yield from _extra(computed, claimed, where)
    elif isinstance(computed, list | tuple):
        if not isinstance(claimed, list) or len(claimed) != len(computed):
            yield f"{where}: the record says {_short(claimed)}, its pairs give {_short(computed)}"
        else:
            for number, (value, other) in enumerate(zip(computed, claimed, strict=True)):
                yield from _differences(value, other, f"{where}[{number}]")
    elif not _equal(computed, claimed):
        yield f"{where}: the record says {_short(claimed)}, its pairs give {_short(computed)}"


def _extra(computed: Mapping[str, Any], claimed: Any, where: str) -> Iterator[str]:
    """Metrics, tags and comparisons that nothing was measured of."""
    if where.split(".")[-1] in ("metrics", "tags", "comparisons") and isinstance(claimed, Mapping):
        yield from (
            f"{where}.{name} stands in the record, but follows from nothing"
            for name in claimed
            if name not in computed
        )


def _equal(computed: Any, claimed: Any) -> bool:
    numbers = all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in (computed, claimed)
    )
    return (
        math.isclose(computed, claimed, rel_tol=TOLERANCE, abs_tol=1e-12)
        if numbers
        else bool(computed == claimed)
    )


def _strangers(record: Mapping[str, Any], evidence: Evidence) -> Iterator[str]:
    """Parts of the record that have to say the same."""
    used = (record["cases"] or {}).get("used") if isinstance(record["cases"], Mapping) else None
    if used != len(evidence.pairs.cases):
        yield f"cases.used: the record says {used}, its pairs are {len(evidence.pairs.cases)}"
    uris = {
        name: prompt.get("uri") if isinstance(prompt := one.get("prompt"), Mapping) else None
        for name, one in record["arms"].items()
        if isinstance(one, Mapping)
    }
    if uris != record["prompts"]:
        yield "prompts are not those of the arms"
    config = record.get("config")
    if not isinstance(config, Mapping):
        yield "there is no config"
        return
    if record["config_sha256"] != sha256(
        canonical({name: value for name, value in config.items() if name != "folder"})
    ):
        yield "config_sha256 is not that of the config"
    try:
        asked = Rule.model_validate(config.get("decide"))
    except ValidationError as error:
        yield f"config.decide is no rule: {first(error)}"
        return
    if asked != evidence.rule:
        yield "the rule is not the one that the config gives under `decide`"
    if (config.get("promote") or None) != (record["promote"] or None):
        yield "promote is not what the config gives"


def first(error: Exception) -> str:
    """What an error says, the first of several."""
    if isinstance(error, ValidationError):
        one = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
    return f"{type(error).__name__}: {error}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"
