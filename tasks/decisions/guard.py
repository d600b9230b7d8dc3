"""Whether a decision allows an alias to move: every objection, not only the first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmops.tasks.decisions.aliases import OUTSIDE, AliasChange, ever, holders, timeline
from llmops.tasks.decisions.decision import Decision, PromptUsed, seal
from llmops.tasks.decisions.verify import decided, recomputed
from llmops.tasks.errors import Blocked
from llmops.tasks.prompts.registry import RegistryVersion

MOST = 3
AGAIN = "evaluate again: what was paid is remembered"


@dataclass(frozen=True)
class AliasState:
    """What is known of an alias when it is to move. `versions`: newest first, as they are now;
    `points_to` None: it is not set; `changes`: of all aliases of the prompt; `held`: the records
    that the ledger and MLflow hold under the id of the decision.
    """

    prompt: str
    alias: str
    versions: Sequence[RegistryVersion]
    points_to: int | None
    changes: Sequence[AliasChange]
    held: Sequence[Mapping[str, object]] = ()

    @property
    def live(self) -> RegistryVersion | None:
        return next((each for each in self.versions if each.version == self.points_to), None)

    @property
    def history(self) -> list[AliasChange]:
        return timeline(self.changes, self.alias, self.points_to, self.prompt)

    @property
    def holders(self) -> list[int]:
        return holders(self.history, self.versions)

    @property
    def ever(self) -> set[int]:
        return ever(self.history, self.versions)

    def used(self, sha256: str) -> AliasChange | None:
        """The change that a decision was spent on."""
        spent = (
            change
            for change in reversed(self.changes)
            if change.alias == self.alias and change.decision_sha256 == sha256
        )
        return next(spent, None)


def demand(
    content: object, state: AliasState, number: int | None = None
) -> tuple[Decision, RegistryVersion]:
    """The decision that the content of a record is, and the version that the alias may move to by
    it. Raises Blocked with all objections.
    """
    objections, decision = _read(content)
    if decision is not None:
        objections = [
            *_meant(decision, state),
            *_known(content, state),
            *_candidate(decision, state, number),
            *_unspent(decision, state),
            *_baseline(decision, state),
        ]
        if not objections:
            return decision, _matching(decision, state, number)[0]
    raise Blocked(
        f"{state.prompt}@{state.alias} stays where it is: "
        + "; ".join(objection.said for objection in objections),
        hint="; ".join(dict.fromkeys(each.hint for each in objections if each.hint)),
    )


def demand_first(state: AliasState, target: RegistryVersion) -> None:
    """An alias may be set without a decision only where it was never set. Raises Blocked,
    ConfigError for a version that is no prompt.
    """
    spot = f"{target.prompt.name}@{state.alias}"
    if state.points_to is not None:
        raise Blocked(
            f"{spot} is set already, to version {state.points_to}",
            hint="it moves by a decision: llmops evaluate CONFIG, then --decision FILE",
        )
    if state.holders:
        raise Blocked(
            f"{spot} was set before, to version {state.holders[-1]}, and removed without llmops",
            hint=f"llmops prompts rollback {state.prompt} --alias {state.alias} sets it again",
        )


def cut_short(decision: Decision, state: AliasState) -> bool:
    """Whether an alias that points to the candidate already may be there by this decision: nobody
    knows how it got there, and it came from what the decision compared with."""
    last = state.history[-1]
    if last.kind != OUTSIDE:
        return False
    if last.before is None:
        return True
    came_from = (each.sha256 for each in state.versions if each.version == last.before)
    sha256 = next(came_from, None)
    return sha256 is not None and sha256 == _prompt(decision, decision.baseline).sha256


class Objection(NamedTuple):
    """What stands against a move, and how to mend it (may be empty)."""

    said: str
    hint: str = ""


def _read(content: object) -> tuple[list[Objection], Decision | None]:
    """The decision, where the record stands."""
    problems, decision = ["it is no JSON object"], None
    if isinstance(content, Mapping):
        problems = recomputed(content)
        if not problems:
            decision = decided(content)
    hint = "take the record as the evaluation wrote it; `llmops decision verify FILE` tells more"
    said = [f"the record does not stand: {problem}" for problem in problems[:MOST]]
    return [Objection(each, hint) for each in said], decision


def _meant(decision: Decision, state: AliasState) -> Iterator[Objection]:
    if decision.verdict != "promote":
        yield Objection(f"the verdict is {decision.verdict}: {decision.reason}")
    promised, wanted = decision.promote, {"prompt": state.prompt, "alias": state.alias}
    if promised is None or promised.content() != wanted:
        meant = f"for {promised.prompt}@{promised.alias}" if promised else "for no alias"
        yield Objection(
            f"the decision is {meant}",
            f"`promote: {{prompt: {state.prompt}, alias: {state.alias}}}` belongs into its config",
        )


def _known(content: object, state: AliasState) -> Iterator[Objection]:
    """A record that nobody here has made may be made up, however well it computes."""
    assert isinstance(content, Mapping)
    if not any(seal(held) == seal(content) for held in state.held):
        yield Objection(
            "neither this home's ledger nor the MLflow run that it names knows the record",
            "promote where the evaluation ran, or point LLMOPS_MLFLOW_TRACKING_URI at the "
            "store that it was recorded in",
        )


def _candidate(decision: Decision, state: AliasState, number: int | None) -> Iterator[Objection]:
    if _matching(decision, state, number):
        return
    wanted = _prompt(decision, decision.candidate).sha256[:12]
    given = next((each for each in state.versions if each.version == number), None)
    if given is not None:
        edited = ", and was edited since it was pushed" if given.edited else ""
        contents = f"(content {str(given.sha256)[:12]}, evaluated {wanted})"
        said = f"version {number} does not say what was evaluated {contents}{edited}"
        yield Objection(said, AGAIN)
    elif number is not None:
        hint = f"llmops prompts history {state.prompt} lists them"
        yield Objection(f"there is no version {number}", hint)
    else:
        yield Objection(
            f"no version says what was evaluated (content {wanted}): it was edited since, or "
            f"never pushed",
            "llmops prompts push FILE, for the file that was evaluated",
        )


def _unspent(decision: Decision, state: AliasState) -> Iterator[Objection]:
    change = state.used(decision.sha256)
    if change is not None and change.to != state.points_to:
        yield Objection(
            f"the decision was used already, on {change.moved_at:%Y-%m-%d %H:%M} by "
            f"{change.who}, and the alias was moved again since",
            AGAIN,
        )


def _baseline(decision: Decision, state: AliasState) -> Iterator[Objection]:
    """The candidate has shown itself better than what is live, not than something else."""
    if any(each.version == state.points_to for each in _matching(decision, state, None)):
        return  # it is there already: a move that was cut short
    compared = _prompt(decision, decision.baseline)
    if state.points_to is None and state.holders:
        yield Objection(
            "the alias was removed without llmops",
            f"llmops prompts rollback {state.prompt} --alias {state.alias} sets it again",
        )
    elif state.points_to is not None and (
        state.live is None or state.live.sha256 is None or state.live.sha256 != compared.sha256
    ):
        yield Objection(
            f"the {state.alias} changed since: it is version {state.points_to} now, "
            f"compared was {compared.uri}",
            AGAIN,
        )


def _matching(decision: Decision, state: AliasState, number: int | None) -> list[RegistryVersion]:
    """The versions whose content is the candidate's, the evaluated one first."""
    evaluated = _prompt(decision, decision.candidate)
    same = [
        version
        for version in state.versions
        if version.sha256 is not None
        and version.sha256 == evaluated.sha256
        and number in (None, version.version)
    ]
    return sorted(same, key=lambda version: version.version != evaluated.version)


def _prompt(decision: Decision, arm: str) -> PromptUsed:
    return decision.arms[arm].prompt
