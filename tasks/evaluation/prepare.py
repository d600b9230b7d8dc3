"""Settling what an evaluation is about, and every mistake that can be found before anything is
paid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from llmops.tasks.calls.prices import Price, price_of, read_prices
from llmops.tasks.errors import ConfigError, Mistake, UsageError
from llmops.tasks.evaluation.cases import CaseSet, read_cases
from llmops.tasks.evaluation.run import (
    Arm,
    ArmSpec,
    EvaluationRun,
    EvaluationSpec,
    Retrieval,
    RetrievalSpec,
)
from llmops.tasks.evaluation.stale import case_warnings
from llmops.tasks.models.references import PinnedSpec, pinned, refers
from llmops.tasks.plugins import Spec, digest
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.rerankers import AskingReranker, Reranker
from llmops.tasks.plugins.scorers import Case, Judge, Scorer, metric_of
from llmops.tasks.prompts import RETRIEVED
from llmops.tasks.schemas import paths_of

NAMED = 5


def begin(
    home: Path, spec: EvaluationSpec, run_id: str | None
) -> tuple[EvaluationRun, CaseSet, list[str]]:
    """The run, its cases, and warnings. Nothing is written, asked or paid.

    Raises ConfigError with every mistake.
    """
    cases = read_cases(*paths_of(spec.folder, spec.cases))
    judging = [pinned(home, each).spec if refers(each) else each for each in spec.scorers]
    spec = spec.model_copy(update={"scorers": tuple(judging)})
    table, mistakes = read_prices(spec.prices), list[Mistake]()
    arms: list[Arm] = []
    for name, arm in spec.arms.items():
        try:
            arms.append(_arm(home, spec.folder, name, arm, table))
        except UsageError as error:
            mistakes += [
                replace(mistake, where=f"arms.{name}: {mistake.where}".removesuffix(": "))
                for mistake in error.mistakes()
            ]
    judges = {
        metric_of(scorer): judge.llm.build(Llm)
        for scorer in spec.scorers
        if isinstance(judge := scorer.build(Scorer), Judge)
    }
    prices = {name: price_of(llm, table) for name, llm in judges.items()}
    mistakes += address_mistakes(
        [
            *((f"arms.{arm.name}", arm.llm.build(Llm)) for arm in arms),
            *((f"scorers: {name}", llm) for name, llm in judges.items()),
        ]
    )
    mistakes += case_mistakes(cases.cases, arms, spec.scorers)
    if spec.budget_usd is not None:
        mistakes += _unpriced(arms, prices)
    mistakes += stake_mistakes(spec.at_stake, arms)
    if mistakes:
        raise ConfigError(mistakes)
    run = _run(home, spec, run_id, tuple(arms), prices)
    asked = [(arm.retrieve.knowledge_base, arm.retrieve.version) for arm in arms if arm.retrieve]
    stale = case_warnings(home, cases.cases, asked)
    return run, cases, [*_warnings(run, spec.at_stake), *stale]


def _run(
    home: Path,
    spec: EvaluationSpec,
    run_id: str | None,
    arms: tuple[Arm, ...],
    prices: dict[str, Price | None],
) -> EvaluationRun:
    started = datetime.now(UTC)
    name = f"{spec.name}-{started:%Y%m%d-%H%M%S}-{digest(run_id or '', started.isoformat())[:6]}"
    return EvaluationRun(
        home=home,
        name=spec.name,
        id=name,
        folder=home / "evaluations" / name,
        baseline=spec.baseline,
        arms=arms,
        scorers=spec.scorers,
        prices=prices,
        repeats=spec.repeats,
        concurrency=spec.concurrency,
        budget_usd=spec.budget_usd,
        budget_calls=spec.budget_calls,
    )


def _arm(home: Path, folder: Path, name: str, spec: ArmSpec, table: Mapping[str, Price]) -> Arm:
    from llmops.tasks.prompts.references import resolve

    llm, trained = pinned(home, spec.llm, "llm") if refers(spec.llm) else PinnedSpec(spec.llm)
    return Arm(
        name=name,
        prompt=resolve(home, spec.prompt, folder),
        llm=llm,
        retrieve=_retrieval(home, spec.retrieve, table) if spec.retrieve else None,
        price=price_of(llm.build(Llm), table),
        trained=trained[0] if trained else None,
    )


def _retrieval(home: Path, spec: RetrievalSpec, table: Mapping[str, Price]) -> Retrieval:
    """The version is pinned now: a build that publishes meanwhile does not change the passages."""
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.knowledge.reading import allowed

    kb = Handle(home=home, name=spec.knowledge_base)
    version = kb.version(spec.version) if spec.version else kb.published()
    allowed(version, spec.where, spec.labels)
    return Retrieval(
        knowledge_base=kb.name,
        version=version.version,
        k=spec.k,
        mode=spec.mode,
        where=spec.where,
        labels=spec.labels,
        rerank=spec.rerank,
        rerank_price=price_of(asked, table) if (asked := _asked_by(spec.rerank)) else None,
    )


def _asked_by(rerank: Spec | None) -> Llm | None:
    """What a reranker asks, which takes money."""
    reranker = rerank.build(Reranker) if rerank else None
    return reranker.service() if isinstance(reranker, AskingReranker) else None


def _unpriced(arms: Sequence[Arm], prices: Mapping[str, Price | None]) -> list[Mistake]:
    """A budget in dollars cannot be kept with a model whose price nobody knows."""
    without = [f"arms.{arm.name}" for arm in arms if arm.price is None]
    without += [
        f"arms.{arm.name}.retrieve.rerank"
        for arm in arms
        if arm.retrieve and arm.retrieve.rerank_price is None and _asked_by(arm.retrieve.rerank)
    ]
    without += [f"scorers: {name}" for name, price in prices.items() if price is None]
    return [
        Mistake(
            "the price of the model is not known, so budget.usd cannot be kept",
            where=where,
            hint="give price_in and price_out (USD per million tokens; of a reranking endpoint "
            "price_per_million or price_per_search) or a table of `prices`; "
            "or limit budget.calls instead",
        )
        for where in without
    ]


def _warnings(run: EvaluationRun, at_stake: str | None) -> list[str]:
    free = sorted(
        {str(arm.llm.options.get("model", arm.llm.name)) for arm in run.arms if arm.price is None}
    )
    found = (
        [f"no price is known for {', '.join(free)}: the cost of its calls counts as 0"]
        if free
        else []
    )
    first = run.arm(run.baseline)
    same = [arm.name for arm in run.arms if arm.name != first.name and _what(arm) == _what(first)]
    found += [
        f"{', '.join(same)}: prompt, model and retrieval are those of {first.name}, so "
        f"there is nothing to compare"
    ] * bool(same)
    own = [arm for arm in run.arms if at_stake == arm.prompt.prompt.name]
    mixed = [arm.name for arm in own if (arm.llm, arm.retrieve) != (first.llm, first.retrieve)]
    return found + [
        f"{', '.join(mixed)}: model or retrieval differ from those of {first.name} too, so "
        f"the decision is one about all of "
        "these together, not about the prompt alone"
    ] * bool(mixed)


def _what(arm: Arm) -> tuple[object, ...]:
    return arm.prompt.prompt.sha256, arm.llm, arm.retrieve


def case_mistakes(
    cases: Sequence[Case], arms: Sequence[Arm], scorers: Sequence[Spec]
) -> list[Mistake]:
    """Variables that a case does not give, or gives in another type; expected fields that a scorer
    needs and does not find.
    """
    return [*_variables(cases, arms), *_expected(cases, scorers)]


def address_mistakes(models: Sequence[tuple[str, Llm]]) -> Iterable[Mistake]:
    """Models, each with where it stands in the config, that are remembered as one and answer at
    different addresses: an evaluation would compare one of them with itself."""
    first: dict[str, tuple[str, str]] = {}
    for where, llm in models:
        address = str(getattr(llm, "base_url", None) or "").rstrip("/")
        other, known = first.setdefault(llm.fingerprint(), (where, address))
        if known != address:
            yield Mistake(
                f"the model {llm.title!r} with the same parameters stands in {other} too, "
                f"at another base_url: replies are "
                "remembered by the model's name, whatever the address, so the two would "
                "share theirs",
                where=where,
                hint="give one of them a `label`",
            )


def stake_mistakes(prompt: str | None, arms: Sequence[Arm]) -> Iterable[Mistake]:
    """An alias of one prompt cannot go to another."""
    for arm in arms if prompt is not None else ():
        if arm.prompt.prompt.name != prompt:
            yield Mistake(
                f"promote.prompt is {prompt!r}, but the prompt of this arm is called "
                f"{arm.prompt.prompt.name!r}",
                where=f"arms.{arm.name}",
                hint="name the prompt that is compared, or leave `promote` out",
            )


def _variables(cases: Sequence[Case], arms: Sequence[Arm]) -> Iterable[Mistake]:
    for arm in arms:
        wrong: dict[str, list[str]] = {}
        if (
            RETRIEVED in arm.prompt.prompt.names
            and arm.retrieve is None
            and not any(RETRIEVED in case.inputs for case in cases)
        ):
            yield Mistake(
                f"the prompt {arm.prompt.uri} has {{{{{RETRIEVED}}}}}, but nothing is "
                f"retrieved and no case gives it",
                where=f"arms.{arm.name}",
                hint="add retrieve: {knowledge_base: …} to it, or `passages` to the inputs of "
                "cases",
            )
            continue
        for case in cases:
            try:
                arm.prompt.prompt.render(_values(case, arm))
            except UsageError as error:
                wrong.setdefault(error.message, []).append(case.id)
        for message, ids in wrong.items():
            given = sorted({name for case in cases if case.id in ids for name in case.inputs})
            yield Mistake(
                message,
                where=f"arms.{arm.name}: cases {_some(ids)}",
                hint=f"the inputs of these cases are {', '.join(given)}; the prompt is "
                f"{arm.prompt.uri}",
            )


def _values(case: Case, arm: Arm) -> dict[str, object]:
    """What a prompt will be given, with an empty text for what retrieval will find."""
    found = {name: value for name, value in case.inputs.items() if name in arm.prompt.prompt.names}
    return found | (
        {RETRIEVED: ""}
        if RETRIEVED in arm.prompt.prompt.names and (arm.retrieve or RETRIEVED in found)
        else {}
    )


def _expected(cases: Sequence[Case], scorers: Sequence[Spec]) -> Iterable[Mistake]:
    for spec in scorers:
        scorer = spec.build(Scorer)
        wrong: dict[str, list[str]] = {}
        for case in cases:
            if lack := scorer.missing(case):
                wrong.setdefault(lack, []).append(case.id)
        all_of_them = sum(map(len, wrong.values())) == len(cases)
        for lack, ids in wrong.items() if all_of_them or not scorer.optional else ():
            yield Mistake(
                lack,
                where=f"scorers: {metric_of(spec)}: cases {_some(ids)}",
                hint="add it to the cases; `optional: true` leaves cases without it unscored"
                if not all_of_them
                else "add it to the cases, or leave the scorer out",
            )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
