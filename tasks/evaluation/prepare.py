"""Settling what an evaluation is about, and every mistake that can be found before anything is
paid.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from llmops.tasks.calls.prices import Price, price_of, read_prices
from llmops.tasks.errors import Blocked, ConfigError, Mistake, UsageError
from llmops.tasks.evaluation.arms import Retrieve, Wanted, Wish
from llmops.tasks.evaluation.cases import CaseSet, read_cases
from llmops.tasks.evaluation.checks import address_mistakes, case_mistakes, stake_mistakes
from llmops.tasks.evaluation.run import Arm, Retrieval, Trial
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.scorers import Judge, Scorer, metric_of

SHOWN = 8


def begin(
    home: Path, wanted: Wanted, run_id: str | None, *, accept_cases: bool = False
) -> tuple[Trial, CaseSet, list[str]]:
    """The trial, its cases, and warnings. Nothing is written, asked or paid.

    Raises ConfigError with every mistake, Blocked when cases say something else than at the last
    decision of this name.
    """
    cases = read_cases(wanted.folder / wanted.cases)
    table, mistakes = read_prices(wanted.prices), []
    arms: list[Arm] = []
    for name, wish in wanted.arms.items():
        try:
            arms.append(_arm(home, wanted, name, wish, table))
        except UsageError as error:
            mistakes += [
                Mistake(
                    one.message,
                    where=f"arms.{name}: {one.where}".removesuffix(": "),
                    hint=one.hint,
                    kind=one.kind,
                )
                for one in error.mistakes()
            ]
    judges = {
        metric_of(spec): judge.llm.build(Llm)
        for spec in wanted.scorers
        if isinstance(judge := spec.build(Scorer), Judge)
    }
    prices = {name: price_of(llm, table) for name, llm in judges.items()}
    mistakes += address_mistakes(
        [
            *((f"arms.{arm.name}", arm.llm.build(Llm)) for arm in arms),
            *((f"scorers: {name}", llm) for name, llm in judges.items()),
        ]
    )
    mistakes += case_mistakes(cases.cases, arms, wanted.scorers)
    mistakes += [*_unpriced(wanted, arms, prices), *stake_mistakes(wanted.at_stake, arms)]
    if mistakes:
        raise ConfigError(mistakes)
    if not accept_cases:
        guard_cases(home, wanted.name, cases)
    trial = _trial(home, wanted, run_id, tuple(arms), prices)
    return trial, cases, _warnings(trial, wanted.at_stake)


def guard_cases(home: Path, name: str, cases: CaseSet) -> None:
    """Raises Blocked when cases kept their ids but not their content since the last decision: old
    and new would not compare.
    """
    from llmops.tasks.decisions.record import changed_cases

    changed = changed_cases(home, name, cases)
    if changed:
        shown = ", ".join(changed[:SHOWN]) + (
            f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        )
        count = "1 case says" if len(changed) == 1 else f"{len(changed)} cases say"
        raise Blocked(
            f"{count} something else than at the last decision of {name!r}: {shown}",
            hint="give changed cases new ids, or allow it once with --accept-cases",
        )


def _trial(
    home: Path,
    wanted: Wanted,
    run_id: str | None,
    arms: tuple[Arm, ...],
    prices: dict[str, Price | None],
) -> Trial:
    started = datetime.now(UTC)
    name = f"{wanted.name}-{started:%Y%m%d-%H%M%S}-{digest(run_id or '', started.isoformat())[:6]}"
    return Trial(
        home=home,
        name=wanted.name,
        id=name,
        folder=home / "evaluations" / name,
        baseline=wanted.baseline,
        arms=arms,
        scorers=wanted.scorers,
        prices=prices,
        repeats=wanted.repeats,
        concurrency=wanted.concurrency,
        budget_usd=wanted.budget_usd,
        budget_calls=wanted.budget_calls,
    )


def _arm(home: Path, wanted: Wanted, name: str, wish: Wish, table: Mapping[str, Price]) -> Arm:
    from llmops.tasks.prompts.registry import resolve

    return Arm(
        name=name,
        prompt=resolve(home, wish.prompt, wanted.folder),
        llm=wish.llm,
        retrieve=_retrieval(home, wish.retrieve) if wish.retrieve else None,
        price=price_of(wish.llm.build(Llm), table),
    )


def _retrieval(home: Path, wish: Retrieve) -> Retrieval:
    """The version is pinned now: a build that publishes meanwhile does not change the passages."""
    from llmops.tasks.knowledge import versions
    from llmops.tasks.knowledge.reading import allowed
    from llmops.tasks.ledger import existing_ledger

    ledger = existing_ledger(home)
    kb = wish.knowledge_base
    version = (
        versions.version(ledger, kb, wish.version)
        if wish.version
        else versions.published(ledger, kb)
    )
    allowed(version, wish.where, wish.labels)
    return Retrieval(
        knowledge_base=kb,
        version=version.version,
        k=wish.k,
        mode=wish.mode,
        where=wish.where,
        labels=wish.labels,
    )


def _unpriced(
    wanted: Wanted, arms: Sequence[Arm], prices: Mapping[str, Price | None]
) -> list[Mistake]:
    """A budget in dollars cannot be kept with a model whose price nobody knows."""
    if wanted.budget_usd is None:
        return []
    without = [f"arms.{arm.name}" for arm in arms if arm.price is None]
    without += [f"scorers: {name}" for name, one in prices.items() if one is None]
    return [
        Mistake(
            "the price of the model is not known, so budget.usd cannot be kept",
            where=where,
            hint="give price_in and price_out (USD per million tokens) or a table of `prices`; "
            "or limit budget.calls instead",
        )
        for where in without
    ]


def _warnings(trial: Trial, at_stake: str | None) -> list[str]:
    free = sorted(
        {str(arm.llm.options.get("model", arm.llm.name)) for arm in trial.arms if arm.price is None}
    )
    found = (
        [f"no price is known for {', '.join(free)}: the cost of its calls counts as 0"]
        if free
        else []
    )
    first = trial.arm(trial.baseline)
    same = [arm.name for arm in trial.arms if arm.name != first.name and _what(arm) == _what(first)]
    found += [
        f"{', '.join(same)}: prompt, model and retrieval are those of {first.name}, so "
        f"there is nothing to compare"
    ] * bool(same)
    own = [arm for arm in trial.arms if at_stake == arm.prompt.prompt.name]
    mixed = [arm.name for arm in own if (arm.llm, arm.retrieve) != (first.llm, first.retrieve)]
    return found + [
        f"{', '.join(mixed)}: model or retrieval differ from those of {first.name} too, so "
        f"the decision is one about all of "
        "these together, not about the prompt alone"
    ] * bool(mixed)


def _what(arm: Arm) -> tuple[object, ...]:
    return arm.prompt.prompt.sha256, arm.llm, arm.retrieve
