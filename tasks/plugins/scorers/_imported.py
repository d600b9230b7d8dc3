"""Scorers that stand in other people's libraries, by import path: what all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from os import environ
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from llmops.tasks.plugins._foreign import (
    check_taken,
    checked_objects,
    lacking,
    with_objects,
    without_secrets,
)
from llmops.tasks.plugins.importing import Foreign, imported
from llmops.tasks.plugins.llms import Message, Reply, Request
from llmops.tasks.plugins.scorers import Ask, Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import texts_at
from llmops.tasks.plugins.scorers._judging import understood
from llmops.tasks.plugins.scorers._values import score_of

ANSWER = "expected.answer"
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class NoScorer(ValueError):
    """What was made is no scorer of that library for single answers."""


class ImportedScorer(Scorer, ABC):
    """`path`: `package.module:name`; `options` are given to the class or the function that stands
    there. An object among them is written `{path: package.module:Class, options: {…}}`, with
    `as_is: true` what stands at the path is taken as it is.

    `values`: what grades in words are worth, as in `{good: 1, poor: 0}`; yes and no, true and
    false, pass and fail are known. `complement`: the score is 1 minus what the scorer gives, for
    those of which less is better.
    """

    quiet: ClassVar[dict[str, str]] = {}
    """Environment variables that are set before the library is imported, unless they are set."""
    range_known: ClassVar[bool] = False
    advice: ClassVar[str] = ""
    """What to do where the library refuses the options."""
    path: str = Field(min_length=3)
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
    values: dict[str, float] = Field(default_factory=dict)
    complement: bool = False

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        kind = self._kind
        if isinstance(kind, type) and (why := lacking(kind)):
            raise ValueError(why)
        self._suits(kind)
        if checked_objects(self.options):  # which may be models that are loaded when they are made
            return self
        try:
            self._try()
        except NoScorer:
            raise
        except ValidationError as error:
            said = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ")
                for one in error.errors(include_url=False)
            )
            raise self._refusal(said) from error
        except Exception as error:  # libraries raise their own
            raise self._refusal(str(error)) from error
        return self

    def _refusal(self, said: str) -> ValueError:
        advice = f"; {self.advice}" if self.advice else ""
        return ValueError(f"options: {self.path} refuses them: {said}{advice}")

    def fingerprint(self) -> str:
        """Options but for keys and passwords."""
        plain = self.model_copy(update={"options": without_secrets(self.options, inside=True)})
        return super(ImportedScorer, plain).fingerprint()

    @cached_property
    def _kind(self) -> Foreign:
        """What stands at the path. Raises ValueError."""
        for name, value in self.quiet.items():
            environ.setdefault(name, value)
        return imported(self.path)

    def _suits(self, kind: Foreign) -> None:
        """Raise ValueError for what is no scorer of this library, or does not take the options."""
        if not callable(kind):
            what = type(kind).__name__
            raise ValueError(f"{self.path} is no class and no function: {what}")  # noqa: TRY004 - for pydantic
        check_taken(kind, self.options, "options")

    def _try(self) -> None:
        """Make what the options describe, to see whether it can be made."""
        _ = self._made

    @cached_property
    def _made(self) -> Foreign:
        """The scorer of the library."""
        return self._kind(**with_objects(self.options))

    def graded(self, given: object) -> Score:
        """What the library gave, as a score."""
        score = score_of(given, self.values)
        if not self.complement or score.value is None:
            return score
        return score.model_copy(update={"value": 1 - score.value})


class DirectScorer(ImportedScorer, ABC):
    """One whose library is asked without a model of ours."""

    def score(self, sample: Sample) -> Score:
        """What the library gives; nothing where the case lacks what it needs. Raises what the
        library raises: then the scorer has failed on this answer.
        """
        lack = self.missing(sample.case)
        return Score(value=None, reason=lack) if lack else self.scored(sample)

    @abstractmethod
    def scored(self, sample: Sample) -> Score:
        """The score of an answer to a case that has what is needed."""


def best(case: Case, score: Callable[[str | None], Score]) -> Score:
    """The best of the scores that an answer has beside each of the expected answers; beside None
    where the case expects none. For scorers that pay nothing.
    """
    scores = [score(one) for one in texts_at(case, ANSWER).texts or (None,)]
    return max(scores, key=lambda each: float("-inf") if each.value is None else each.value)


def together(case: Case) -> str | None:
    """The expected answers as one text, one a line; None where there is none."""
    return "\n".join(texts_at(case, ANSWER).texts) or None


def texts_of(case: Case, reference: str) -> list[str] | None:
    """The texts at a reference, None where there are none."""
    return list(texts_at(case, reference).texts) or None


def contexts(sample: Sample) -> list[str]:
    """The texts of the passages that the prompt was given, best first."""
    return [passage.text for passage in sample.passages]


def lacks(case: Case, wanted: Sequence[str]) -> str | None:
    """Which of these references a case has no text at, as a sentence."""
    return next((why for name in wanted if (why := texts_at(case, name).lack)), None)


class GatewayModel:
    """Our own model in the place of a library's: each question of the library is paid once, within
    the budget of the run. Libraries that ask again, or turn an error into one of their own, hide
    what went wrong: `trouble` is the first error.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.trouble: Exception | None = None

    async def text(self, prompt: str) -> str:
        """The reply to a prompt. Raises what `ask` raises."""
        return await self._kept(self._reply(prompt))

    async def filled(self, prompt: str, shape: type[M]) -> M:
        """The reply as an object of that class; one that does not fit is asked for once more."""
        request = Request(
            messages=(Message(role="user", content=prompt),), output=shape.model_json_schema()
        )
        return await self._kept(understood(request, self._ask, shape.model_validate))

    async def _reply(self, prompt: str) -> str:
        return (await self._ask(Request(messages=(Message(role="user", content=prompt),)))).text

    async def _kept(self, reply: Awaitable[T]) -> T:
        if self.trouble is not None:  # nothing more is paid for what has failed
            raise self.trouble
        try:
            return await reply
        except Exception as error:
            self.trouble = error
            raise

    async def judged(self, scoring: Awaitable[T]) -> T:
        """What a library gave that has asked this model. Raises the first error of the model,
        whatever the library made of it.
        """
        try:
            given = await scoring
        except Exception as error:
            raise self.trouble or error from error
        if self.trouble is not None:
            raise self.trouble
        return given


async def unasked(request: Request) -> Reply:
    """In the place of a model while a config is read: no question may be asked then."""
    del request
    raise ValueError("it asks its model already when it is made")
