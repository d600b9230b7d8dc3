"""Whether cases, prompts and scorers fit each other: looked at before anything is paid."""

from collections.abc import Iterable, Sequence

from llmops.tasks.errors import Mistake, UsageError
from llmops.tasks.evaluation.run import Arm
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.scorers import Case, Scorer, metric_of
from llmops.tasks.prompts import RETRIEVED

SHOWN = 5


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
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
