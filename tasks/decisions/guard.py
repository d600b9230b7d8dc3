"""Whether a decision allows an alias to move: every objection, not only the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.tasks.decisions.aliases import OUTSIDE, Move, ever, holders, timeline
from llmops.tasks.decisions.record_check import recomputed, seal
from llmops.tasks.errors import Blocked
from llmops.tasks.tracking.prompt_versions import Version

MOST = 3
AGAIN = "evaluate again: what was paid is remembered"


@dataclass(frozen=True)
class Ground:
    """What is known at the moment of a move. `versions`: newest first, as they are now;
    `points_to`: of the alias, None: it is not set; `moves`: of all aliases of the prompt; `held`:
    the records that the ledger and MLflow hold under this record's id."""

    prompt: str
    alias: str
    versions: Sequence[Version]
    points_to: int | None
    moves: Sequence[Move]
    held: Sequence[Mapping[str, Any]] = ()

    @property
    def live(self) -> Version | None:
        return next((one for one in self.versions if one.version == self.points_to), None)

    @property
    def history(self) -> list[Move]:
        return timeline(self.moves, self.alias, self.points_to, self.prompt)

    @property
    def holders(self) -> list[int]:
        return holders(self.history, self.versions)

    @property
    def ever(self) -> set[int]:
        return ever(self.history, self.versions)

    def used(self, sha256: str) -> Move | None:
        """The move that a decision was spent on."""
        return next(
            (
                one
                for one in reversed(self.moves)
                if one.alias == self.alias and one.decision_sha256 == sha256
            ),
            None,
        )


def demand(record: Any, ground: Ground, number: int | None = None) -> Version:
    """The version that the alias may move to, by this record. Raises Blocked with all
    objections.
    """
    found = _stands(record) or [
        *_meant(record, ground),
        *_known(record, ground),
        *_candidate(record, ground, number),
        *_unspent(record, ground),
        *_baseline(record, ground),
    ]
    if found:
        raise Blocked(
            f"{ground.prompt}@{ground.alias} stays where it is: "
            + "; ".join(message for message, _ in found),
            hint="; ".join(dict.fromkeys(hint for _, hint in found if hint)),
        )
    return _matching(record, ground, number)[0]


def demand_first(ground: Ground, target: Version) -> None:
    """An alias may be set without a decision only where it was never set. Raises Blocked,
    ConfigError for a version that is no prompt.
    """
    spot = f"{target.prompt.name}@{ground.alias}"
    if ground.points_to is not None:
        raise Blocked(
            f"{spot} is set already, to version {ground.points_to}",
            hint="it moves by a decision: llmops evaluate CONFIG, then --decision FILE",
        )
    if ground.holders:
        raise Blocked(
            f"{spot} was set before, to version {ground.holders[-1]}, and removed without llmops",
            hint=f"llmops prompts rollback {ground.prompt} --alias {ground.alias} sets it again",
        )


def cut_short(record: Mapping[str, Any], ground: Ground) -> bool:
    """Whether an alias that points to the candidate already may be there by this decision: nobody
    knows how it got there, and it came from what the decision compared with."""
    last = ground.history[-1]
    if last.kind != OUTSIDE:
        return False
    came_from = next((one.sha256 for one in ground.versions if one.version == last.before), None)
    return last.before is None or (
        came_from is not None and came_from == _prompt(record, "baseline").get("sha256")
    )


Objections = list[tuple[str, str]]
"""What stands against a move, each with how to mend it (may be empty)."""


def _stands(record: Any) -> Objections:
    problems = recomputed(record) if isinstance(record, Mapping) else ["it is no JSON object"]
    hint = "take the record as the evaluation wrote it; `llmops decision verify FILE` tells more"
    return [(f"the record does not stand: {problem}", hint) for problem in problems[:MOST]]


def _meant(record: Mapping[str, Any], ground: Ground) -> Objections:
    found: Objections = []
    if record["verdict"] != "promote":
        found.append((f"the verdict is {record['verdict']}: {record['reason']}", ""))
    promised, wanted = record.get("promote"), {"prompt": ground.prompt, "alias": ground.alias}
    if promised != wanted:
        whole = isinstance(promised, dict) and {*promised} == {*wanted}
        meant = (
            f"for {promised['prompt']}@{promised['alias']}"
            if whole and promised
            else "for no alias"
        )
        found.append(
            (
                f"the decision is {meant}",
                f"`promote: {{prompt: {ground.prompt}, alias: {ground.alias}}}` belongs "
                f"into its config",
            )
        )
    return found


def _known(record: Mapping[str, Any], ground: Ground) -> Objections:
    """A record that nobody here has made may be made up, however well it computes."""
    if any(seal(one) == seal(record) for one in ground.held):
        return []
    return [
        (
            "neither this home's ledger nor the MLflow run that it names knows the record",
            "promote where the evaluation ran, or point LLMOPS_MLFLOW_TRACKING_URI at the "
            "store that it was recorded in",
        )
    ]


def _candidate(record: Mapping[str, Any], ground: Ground, number: int | None) -> Objections:
    if _matching(record, ground, number):
        return []
    wanted = str(_prompt(record, "candidate").get("sha256"))
    given = next((one for one in ground.versions if one.version == number), None)
    if given is not None:
        edited = ", and was edited since it was pushed" if given.edited else ""
        contents = f"(content {str(given.sha256)[:12]}, evaluated {wanted[:12]})"
        return [(f"version {number} does not say what was evaluated {contents}{edited}", AGAIN)]
    if number is not None:
        return [
            (f"there is no version {number}", f"llmops prompts history {ground.prompt} lists them")
        ]
    return [
        (
            f"no version says what was evaluated (content {wanted[:12]}): it was edited "
            f"since, or never pushed",
            "llmops prompts push FILE, for the file that was evaluated",
        )
    ]


def _unspent(record: Mapping[str, Any], ground: Ground) -> Objections:
    move = ground.used(record["sha256"])
    if move is None or move.to == ground.points_to:
        return []
    return [
        (
            f"the decision was used already, on {move.moved_at:%Y-%m-%d %H:%M} by "
            f"{move.who}, and the alias was moved again since",
            AGAIN,
        )
    ]


def _baseline(record: Mapping[str, Any], ground: Ground) -> Objections:
    """The candidate has shown itself better than what is live, not than something else."""
    if any(one.version == ground.points_to for one in _matching(record, ground, None)):
        return []  # it is there already: a move that was cut short
    if ground.points_to is None and not ground.holders:
        return []
    if ground.points_to is None:
        return [
            (
                "the alias was removed without llmops",
                f"llmops prompts rollback {ground.prompt} --alias {ground.alias} sets it again",
            )
        ]
    baseline = _prompt(record, "baseline")
    if (
        ground.live is not None
        and ground.live.sha256 is not None
        and ground.live.sha256 == baseline.get("sha256")
    ):
        return []
    return [
        (
            f"the {ground.alias} changed since: it is version {ground.points_to} now, "
            f"compared was {baseline.get('uri')}",
            AGAIN,
        )
    ]


def _matching(record: Mapping[str, Any], ground: Ground, number: int | None) -> list[Version]:
    """The versions whose content is the candidate's, the evaluated one first."""
    arm = _prompt(record, "candidate")
    found = [
        one
        for one in ground.versions
        if one.sha256 is not None
        and one.sha256 == arm.get("sha256")
        and number in (None, one.version)
    ]
    return sorted(found, key=lambda one: one.version != arm.get("version"))


def _prompt(record: Mapping[str, Any], role: str) -> Mapping[str, Any]:
    """The prompt of the arm in a role. Empty where a record, however valid, does not say it."""
    found = record.get("arms", {}).get(record.get(role), {}).get("prompt")
    return found if isinstance(found, dict) else {}
