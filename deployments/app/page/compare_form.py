"""What somebody wants compared: the form's fields, and all that is wrong with them at once."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from llmops.deployments.app.page.trials import SideFields, TrialFields
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.chat.choices import chosen, prompt_files
from llmops.tasks.chat.comparing import FEWEST, MOST, ComparedSide
from llmops.tasks.chat.drafts import DraftMistakes, draft_of
from llmops.tasks.errors import UsageError
from llmops.tasks.prompts import Resolved

MOST_MESSAGES = 40
LONGEST_QUESTION = 32_000
LETTERS = "ABCD"
"""What sides are called."""


class Wrong(NamedTuple):
    """`kind`: the name of its text; `side`: from 0 on, None for the form as a whole; `message`:
    of the prompt, from 1 on; `found`: what stands there.
    """

    kind: str
    side: int | None = None
    message: int = 0
    found: str = ""


class FormMistake(Exception):
    def __init__(self, found: Sequence[Wrong]) -> None:
        super().__init__(f"{len(found)} mistakes")
        self.found = list(found)


def fields_of(form: Mapping[str, str], only: int | None = None) -> TrialFields:
    """What the form says. Its lines end as they do elsewhere. `only`: of one side alone."""
    sides = [
        SideFields(
            prompt=form.get(f"prompt-{side}", ""),
            model=form.get(f"model-{side}", ""),
            texts=_texts(form, side),
        )
        for side in range(MOST)
        if f"model-{side}" in form and only in (None, side)
    ]
    return TrialFields(
        question=form.get("question", "").replace("\r\n", "\n").strip(),
        knowledge_base=form.get("knowledge_base", ""),
        blind="blind" in form,
        sides=tuple(sides),
    )


def _texts(form: Mapping[str, str], side: int) -> tuple[str, ...]:
    names = [f"text-{side}-{message}" for message in range(MOST_MESSAGES)]
    return tuple(form[name].replace("\r\n", "\n") for name in names if name in form)


async def sides_of(
    services: Services,
    visit: AppVisit,
    fields: TrialFields,
    *,
    lately: bool = False,
    saving: bool = False,
) -> list[ComparedSide]:
    """The sides, ready to be compared. `lately`: no question is wanted; `saving`: nor are two
    sides. Raises FormMistake with all that is wrong; HttpProblem where somebody has changed texts
    who may not.
    """
    wrong = [] if saving else list(_form_mistakes(services, fields, lately))
    sides: list[ComparedSide] = []
    for number, side in enumerate(fields.sides):
        if side.model not in services.engine.choices:
            wrong.append(Wrong("model", number, found=side.model[:80]))
        try:
            prompt = await asyncio.to_thread(partial(_prompt, services, side))
        except DraftMistakes as error:
            wrong += [Wrong(each.kind, number, each.message, each.found) for each in error.found]
            continue
        except UsageError:
            wrong.append(Wrong("prompt", number, found=side.prompt[:80]))
            continue
        if prompt.uri.startswith("draft:") and not visit.may("prompts"):
            raise HttpProblem(403, "drafts are for editors", code="insufficient_scope")
        sides.append(ComparedSide(prompt, side.model))
    if not wrong and not saving:
        wrong += _same(sides)
    if wrong:
        raise FormMistake(wrong)
    return sides


def _same(sides: Sequence[ComparedSide]) -> list[Wrong]:
    """Sides that would be told the same, and say the same or differ by chance."""
    made = [(side.model, side.prompt.prompt.messages, side.prompt.prompt.model) for side in sides]
    return [
        Wrong("same", number, found=LETTERS[made.index(each)])
        for number, each in enumerate(made)
        if made.index(each) < number
    ]


def _form_mistakes(services: Services, fields: TrialFields, lately: bool) -> list[Wrong]:
    wrong = []
    if not lately and not fields.question:
        wrong.append(Wrong("question"))
    if len(fields.question) > LONGEST_QUESTION:
        wrong.append(Wrong("question_long", found=str(LONGEST_QUESTION)))
    if not FEWEST <= len(fields.sides) <= MOST:
        wrong.append(Wrong("sides"))
    known = services.config.knowledge_bases
    if fields.knowledge_base and fields.knowledge_base not in known:
        wrong.append(Wrong("base", found=fields.knowledge_base[:80]))
    return wrong


def _prompt(services: Services, side: SideFields) -> Resolved:
    """The prompt of a side: a draft, where its texts are not those of what it was made from."""
    own = services.engine.prompt.current()
    files = prompt_files(services.config.folder, own) if side.prompt else {}
    base = chosen(services.home, own, side.prompt, files)
    same = tuple(message.content for message in base.prompt.messages)
    return draft_of(base, side.texts) if side.texts and side.texts != same else base
