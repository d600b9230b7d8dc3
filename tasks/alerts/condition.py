"""What a look at the home found to be wrong. Alerts are made of it, see state.py."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Severity = Literal["info", "warning", "critical"]


def storable(text: str) -> str:
    """What any database takes: names of files may hold lone surrogates, errors null bytes; one of
    them would keep all that a look has found from being written down.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


ConditionText = Annotated[str, AfterValidator(storable)]


class Condition(BaseModel):
    """Something is wrong now. `rule`: what was looked for, such as `flow-failed`; `subject`: of
    what, such as `index/handbook`; the two together say whether it is the same as before.
    `message`: one line, the first error; `since`: when it began, where that is known; `links`: name
    -> URL.
    """

    model_config = ConfigDict(frozen=True)
    rule: str
    subject: ConditionText
    severity: Severity
    message: ConditionText
    hint: ConditionText = ""
    value: float | None = None
    since: datetime | None = None
    links: Mapping[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.rule}/{self.subject}"


class Observation(BaseModel):
    """What a look came to. `unknown`: prefixes of keys that nobody could look at: what is firing
    there is neither told anew nor taken as over. `problems`: why; `young`: those of them that are
    no mistake, since there is not enough to judge by yet.
    """

    model_config = ConfigDict(frozen=True)
    conditions: tuple[Condition, ...] = ()
    unknown: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    young: tuple[str, ...] = ()


def joined(observations: Sequence[Observation]) -> Observation:
    """Several looks as one."""
    return Observation(
        conditions=tuple(each for one in observations for each in one.conditions),
        unknown=tuple(each for one in observations for each in one.unknown),
        problems=tuple(each for one in observations for each in one.problems),
        young=tuple(each for one in observations for each in one.young),
    )


def is_unknown(key: str, unknown: Collection[str]) -> bool:
    """Whether nobody could look at a condition of this key."""
    return any(key.startswith(each) for each in unknown)
