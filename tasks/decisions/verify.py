"""Whether a decision record stands: everything is computed again from what it holds, and compared
with what it says.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict, TypeGuard

from pydantic import ValidationError

from llmops.tasks.decisions.decision import LATER, Decision, first_of, lacking, seal
from llmops.tasks.decisions.record import load, short
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import decide
from llmops.tasks.plugins import canonical
from llmops.tasks.schemas import sha256

WORDS = ("reason", "note")
HINT = "hint"
ADDED: Mapping[str, object] = {"record": None, "links": {}}
TOLERANCE = 1e-7
MOST = 20


class Recomputed(TypedDict):
    """What `llmops decision verify` prints. `problems`: what does not stand, as sentences."""

    ok: bool
    verdict: object
    id: object
    name: object
    problems: list[str]


def verify(path: Path) -> Recomputed:
    """Whether the record in a file stands. Raises as `load`."""
    record = load(path)
    problems = recomputed(record)
    return {
        "ok": not problems,
        "verdict": record.get("verdict"),
        "id": record.get("id"),
        "name": record.get("name"),
        "problems": problems,
    }


def recomputed(record: Mapping[str, object]) -> list[str]:
    """What does not stand, as sentences; empty: all of it does. Raises nothing, whatever the record
    holds.
    """
    try:
        return _problems(record)
    except RecursionError:
        return ["it is nested too deeply to be read"]


def decided(record: Mapping[str, object]) -> Decision:
    """The decision in a record, without what was added to it later. Raises ValidationError."""
    covered = {name: value for name, value in record.items() if name not in LATER}
    return Decision.model_validate({**covered, "sha256": record["sha256"], **ADDED})


def _problems(record: Mapping[str, object]) -> list[str]:
    needed = [name for name, field in Decision.model_fields.items() if field.is_required()]
    if missing := [name for name in needed if name not in record and name not in ADDED]:
        return [f"the record lacks {', '.join(missing)}"]
    problems = (
        []
        if record["sha256"] == seal(record)
        else ["the record was changed: its sha256 is not that of its content"]
    )
    try:
        decision = decided(record)
        verdict = decide(decision.evidence())
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        # whatever somebody wrote into it
        said = lacking(error) if isinstance(error, ValidationError) else ""
        return [*problems, f"its evidence cannot be read: {said or first_of(error)}"]
    claims = {name: value for name, value in verdict.content().items() if name != HINT}
    problems += list(_differences(claims, record, ""))[:MOST]
    return problems + list(_strangers(decision))


def _differences(computed: object, claimed: object, where: str) -> Iterator[str]:
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
            yield f"{where}: the record says {short(claimed)}, its pairs give {short(computed)}"
        else:
            for number, (value, other) in enumerate(zip(computed, claimed, strict=True)):
                yield from _differences(value, other, f"{where}[{number}]")
    elif not _equal(computed, claimed):
        yield f"{where}: the record says {short(claimed)}, its pairs give {short(computed)}"


def _extra(computed: Mapping[str, object], claimed: object, where: str) -> Iterator[str]:
    """Metrics, tags and comparisons that nothing was measured of."""
    if where.split(".")[-1] in ("metrics", "tags", "comparisons") and isinstance(claimed, Mapping):
        yield from (
            f"{where}.{name} stands in the record, but follows from nothing"
            for name in claimed
            if name not in computed
        )


def _equal(computed: object, claimed: object) -> bool:
    if _number(computed) and _number(claimed):
        return math.isclose(computed, claimed, rel_tol=TOLERANCE, abs_tol=1e-12)
    return bool(computed == claimed)


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _strangers(decision: Decision) -> Iterator[str]:
    """Parts of the record that have to say the same."""
    used, pairs = decision.cases.used, len(decision.pairs.cases)
    if used != pairs:
        yield f"cases.used: the record says {used}, its pairs are {pairs}"
    if {name: arm.prompt.uri for name, arm in decision.arms.items()} != decision.prompts:
        yield "prompts are not those of the arms"
    config = decision.config
    if not config:
        yield "there is no config"
        return
    plain = {name: value for name, value in config.items() if name != "folder"}
    if decision.config_sha256 != sha256(canonical(plain)):
        yield "config_sha256 is not that of the config"
    try:
        asked = Rule.model_validate(config.get("decide"))
    except ValidationError as error:
        yield f"config.decide is no rule: {first_of(error)}"
        return
    if asked != decision.rule:
        yield "the rule is not the one that the config gives under `decide`"
    promised = decision.promote.content() if decision.promote else None
    if (config.get("promote") or None) != promised:
        yield "promote is not what the config gives"
