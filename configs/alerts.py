"""The config of alerts: what is looked for, who is told of it, and when nobody is to be woken. The
alerter of `llmops up` and `llmops alerts` read it; there is no flow of it in Prefect.
"""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    field_validator,
    model_validator,
)

from llmops.configs.rules import Rules
from llmops.configs.section import FlowConfig, Section, Slots, known_timezone
from llmops.configs.spans import Span
from llmops.tasks.alerts.condition import Severity
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.names import WATCHED
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.quiet import DAYS, Day, QuietHours
from llmops.tasks.alerts.ruling import AlertRule
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec, reveal
from llmops.tasks.plugins.senders import Sender

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Watch = Literal["info", "warning", "critical", "off"]
ADDRESS = re.compile(r"https?://[^\s/?#]+\S*")
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(hours=1)


def _clock(value: object) -> time:
    try:
        hour, minute = str(value).split(":")
        return time(int(hour), int(minute))
    except ValueError as error:
        raise ValueError('a time of the day is wanted, such as "22:00"') from error


def _midnight(value: object) -> object:
    return "00:00" if value == "24:00" else value


ClockTime = Annotated[time, BeforeValidator(_clock)]


def _severities(value: object) -> object:
    return [value] if isinstance(value, str) else value


class QuietSettings(Section):
    """Hours in which nobody is woken, from `from` to `to`, the next day where that is not later.
    `days`: those that they begin on; `except`: what is told all the same.
    """

    from_: ClockTime = Field(alias="from")
    to: Annotated[ClockTime, BeforeValidator(_midnight)]
    timezone: str = "UTC"
    days: tuple[Day, ...] = DAYS
    except_: Annotated[tuple[Severity, ...], BeforeValidator(_severities)] = Field(
        default=("critical",), alias="except"
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_timezone(value)

    @model_validator(mode="wrap")
    @classmethod
    def _some_time(
        cls, value: object, handler: ModelWrapValidatorHandler["QuietSettings"]
    ) -> "QuietSettings":
        made = handler(value)
        written = value.get("to") if isinstance(value, Mapping) else None
        if made.from_ == made.to and written != "24:00":
            both = f"from and to are both {made.to:%H:%M}: no time lies between"
            raise ValueError(f'{both}; a whole day is from: "00:00", to: "24:00"')
        return made

    def hours(self) -> QuietHours:
        return QuietHours(
            begins=self.from_,
            ends=self.to,
            timezone=self.timezone,
            days=tuple(DAYS.index(each) for each in self.days),
            excepted=self.except_,
        )


class AlertsConfig(FlowConfig):
    """`every`: how often is looked, 30s to 1h; `senders`: who is told, each with the least
    `severity` that it is used for; `quiet`: hours in which nobody is woken; `watch`: the severity
    of what is watched without a rule, or off; `clears_after`: how long something has to be gone
    before it is over, at least two looks; `remind_after`: how often a critical alert is told again;
    `flap_window`: what comes back within it is the same alert; `heartbeat`: an address that is
    asked after each look.
    """

    plugins: ClassVar[Slots] = {"senders.*": Sender}
    flow: Literal["alerts"]
    name: Name = "alerts"
    every: Span = timedelta(minutes=1)
    senders: list[Spec] = Field(default_factory=list)
    quiet: QuietSettings | None = None
    watch: Mapping[str, Watch] = Field(default_factory=dict)
    rules: Rules = ()
    clears_after: Span = timedelta(0)
    remind_after: Span = timedelta(hours=24)
    flap_window: Span = timedelta(minutes=30)
    heartbeat: str | None = None

    @field_validator("every")
    @classmethod
    def _often_enough(cls, value: timedelta) -> timedelta:
        if not SHORTEST <= value <= LONGEST:
            raise ValueError("30s to 1h are allowed")
        return value

    @field_validator("senders")
    @classmethod
    def _each_once(cls, value: list[Spec]) -> list[Spec]:
        ids = [spec.id for spec in value]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(
                f"two senders are called {', '.join(twice)}: give each an id, as in "
                f"{{name: {twice[0]}, id: oncall, …}}"
            )
        if long := [each for each in ids if len(each) > 63]:
            raise ValueError(f"the id {long[0]!r} has more than 63 characters")
        return value

    @field_validator("watch")
    @classmethod
    def _is_watched(cls, value: Mapping[str, Watch]) -> Mapping[str, Watch]:
        if unknown := sorted(set(value) - set(WATCHED)):
            raise ValueError(f"{', '.join(unknown)} is not watched; allowed: {', '.join(WATCHED)}")
        return value

    def built_senders(self) -> dict[str, Sender]:
        """By id. Raises ConfigError where a secret is gone since the config was read."""
        return {spec.id: spec.build(Sender).at(self.folder) for spec in self.senders}

    def alert_rules(self) -> tuple[AlertRule, ...]:
        """As whoever looks needs them."""
        return tuple(each.rule() for each in self.rules)

    def policy(self, project: str) -> AlertPolicy:
        """When something counts, and who is told. `project`: whose alerts these are."""
        recipients = (
            Recipient(sender=name, least=sender.severity)
            for name, sender in self.built_senders().items()
        )
        return AlertPolicy(
            owner=self.name,
            project=project,
            every=self.every,
            after={each.name: each.after for each in self.rules},
            clears_after=self.clears_after,
            remind_after=self.remind_after,
            flap_window=self.flap_window,
            recipients=tuple(recipients),
            quiet=self.quiet.hours() if self.quiet else None,
        )

    def plan(self, project: str) -> AlertPlan:
        """All that a look needs. Raises ConfigError where a secret is gone."""
        return AlertPlan(self.policy(project), self.alert_rules(), self.built_senders())

    def heartbeat_url(self) -> SecretStr | None:
        """With its secrets filled in. Raises ConfigError where one is not set, or where it comes to
        no address; it does not say which.
        """
        url = str(reveal(self.heartbeat)) if self.heartbeat else ""
        if url and not ADDRESS.fullmatch(url):
            told = "heartbeat: an address is wanted, such as https://hc-ping.com/…"
            raise ConfigError([Mistake(told)])
        return SecretStr(url) if url else None
