"""What the configs of all flows have in common: strict sections, plugin slots, files, a record."""

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from llmops.configs.mistakes import joined
from llmops.tasks.errors import Mistake, Unavailable, UsageError, did_you_mean
from llmops.tasks.hashing import sha256
from llmops.tasks.plugins import Plugin, Spec, canonical

CRON_FIELD = r"[0-9A-Za-z*?#/,-]+"
FIVE_FIELDS = re.compile(rf"{CRON_FIELD}(\s+{CRON_FIELD}){{4}}")
CRON_NAMES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
CRON_RANGES = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 6),
}
YEARLY = {
    "@hourly": 8_766.0,
    **dict.fromkeys(("@daily", "@midnight"), 365.25),
    "@weekly": 52.18,
    "@monthly": 12.0,
    **dict.fromkeys(("@yearly", "@annually"), 1.0),
}
YEAR_SECONDS = 365.25 * 86_400
MANY = 2_000
"""Times of a schedule that are counted: what comes more often does so evenly enough."""
STEP = re.compile(r"(?:\*|(?P<first>\d+)(?:-(?P<last>\d+))?)/(?P<step>\d+)")
Place = list[int | str]
Slots = Mapping[str, type[Plugin]]
Files = Mapping[str, Callable[..., object]]


class Section(BaseModel):
    """A part of a config: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FlowConfig(Section):
    """The config of a flow. What it declares here, `read` does for it.

    `plugins`: the family of each place that names plugins. `files`: the reader of each file, which
    raises ConfigError for a wrong one; where a place names several, it is given all of them. Places
    are written `chunk`, `sources.*`, `arms.*.llm`; `*` is each item of a list or a mapping. What
    begins with `elsewhere` is no file. `unrecorded`: keys that change nothing of what a run makes,
    only where and how fast. `follows`: whether trained models that it names become versions at the
    start of a run; a flow that says False looks for them itself. `within`: keys of the config that
    a file writes among the options of a plugin. `outside`: places of plugins that read what
    somebody else keeps, and can say that it never existed.
    """

    plugins: ClassVar[Slots] = {}
    files: ClassVar[Files] = {}
    elsewhere: ClassVar[tuple[str, ...]] = ()
    unrecorded: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[bool] = True
    within: ClassVar[Mapping[str, Sequence[str]]] = {}
    outside: ClassVar[tuple[str, ...]] = ()
    folder: Path = Field(
        default=Path(), description="of the config file; relative paths start here"
    )

    @classmethod
    def flow_name(cls) -> str:
        """The one value of the key `flow`."""
        return str(get_args(cls.model_fields["flow"].annotation)[0])

    @classmethod
    def default_plugins(cls) -> dict[str, Spec]:
        """The plugins that serve where a config names none, by their keys."""
        return {
            name: field.default
            for name, field in cls.model_fields.items()
            if isinstance(field.default, Spec)
        }

    def conflicts(self, where: str) -> list[Mistake]:
        """What does not go together, looked for where every key is right by itself. Files may be
        missing or wrong: that is told already.
        """
        del where
        return []

    def never_existed(self, where: str) -> list[Mistake]:
        """What a check of the config alone misses in the world outside: a run says it itself."""
        return absent(self, type(self), self.folder, where)

    def recorded(self) -> dict[str, Any]:
        """What a version or a decision remembers: `config` and `config_sha256`. Plugins
        in the short form, secrets as `${NAME}`; the hash does not cover the folder.
        """
        plain = self.model_dump(
            mode="json", exclude={"folder", *self.unrecorded}, exclude_none=True
        )
        for pattern in self.plugins:
            for place, spec in places(self, pattern):
                if isinstance(spec, Spec) and place[0] not in self.unrecorded:
                    put(plain, place, spec.short())
        plain |= self.derived()
        return {
            "config": plain | {"folder": str(self.folder)},
            "config_sha256": sha256(canonical(plain)),
        }

    def derived(self) -> dict[str, object]:
        """What is recorded beside the keys."""
        return {}


class Schedule(Section):
    """When the flow runs by itself."""

    cron: str
    timezone: str = "UTC"

    @model_validator(mode="before")
    @classmethod
    def _two_keys(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(  # noqa: TRY004 - pydantic takes no other for a mistake
                'write it as schedule: {cron: "0 3 * * *", timezone: Europe/Berlin}; without '
                "timezone it is UTC"
            )
        return value

    @field_validator("cron")
    @classmethod
    def _comes_to_pass(cls, value: str) -> str:
        if value.strip() in CRON_NAMES:
            return value
        if not FIVE_FIELDS.fullmatch(value.strip()):
            raise ValueError(
                'five fields are wanted: minute, hour, day, month, weekday, as in "0 3 * * *"'
            )
        if wrong := _never(value):
            raise ValueError(
                f"the {wrong} never comes; allowed: minute 0-59, hour 0-23, day 1-31 or L, "
                "month 1-12, weekday 0-7 or SUN-SAT; a range goes upwards, as in 22-23,0-2"
            )
        if wrong := _too_long_step(value):
            raise ValueError(wrong)
        return value

    def times_a_year(self) -> float:
        """How often it comes to pass, on the average of four years."""
        from cronsim import CronSim

        if self.cron.strip() in YEARLY:
            return YEARLY[self.cron.strip()]
        cron, began = self.cron.upper().replace("?", "*"), datetime(2000, 12, 31, 23, 59)
        count, last = 0, began
        for last in CronSim(" ".join(cron.split()), began):
            if last.year > began.year + 4:
                return count / 4
            count += 1
            if count == MANY:
                break
        return count / ((last - began).total_seconds() / YEAR_SECONDS)

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_timezone(value)


def known_timezone(value: str) -> str:
    """For validators. Raises ValueError for a time zone that there is not."""
    from zoneinfo import available_timezones

    known = available_timezones()
    if value not in known:
        by_small = {name.lower(): name for name in sorted(known)}
        near = did_you_mean(by_small.get(value.lower(), value), known)
        told = f" ({near})" if near else ", such as UTC or Europe/Berlin"
        raise ValueError(f"a name of the IANA time zone database is wanted{told}")
    return value


def _never(cron: str) -> str:
    """The field that Prefect's scheduler would refuse, or wait for in vain; empty for none."""
    from cronsim import CronSim, CronSimError

    fields = ["*" if field == "?" else field for field in cron.upper().split()]
    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))
    except CronSimError as error:
        return str(error).removeprefix("Bad ")
    return "day-of-month" if "W" in fields[2] else "day-of-week" if "L" in fields[4] else ""


def _too_long_step(cron: str) -> str:
    """Why a step does not do what it seems to say; empty where each is right."""
    for (name, (low, high)), field in zip(CRON_RANGES.items(), cron.split(), strict=False):
        for each in STEP.finditer(field):
            first = int(each["first"] or low)
            last, step = int(each["last"] or high), int(each["step"])
            if step > last - first:
                return (
                    f"{each[0]} in the {name} leaves {first} alone: the {name} counts from {low} "
                    f"to {high} and begins again; allowed: steps up to {last - first}, or a list "
                    "such as 0,30"
                )
    return ""


def sources_have_ids(sources: Sequence[Spec]) -> None:
    """For the validator of a config with sources. Raises ValueError where two have one id."""
    ids = [spec.id for spec in sources]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(
            f"two sources are called {', '.join(twice)}: give each an id, as in "
            f"{{name: {twice[0]}, id: manuals, …}}"
        )


class Outside(Protocol):
    """A plugin that reads what somebody else keeps: a source, a collector."""

    def at(self, folder: Path) -> Self: ...
    def check(self) -> None: ...


def absent(content: object, model: type[FlowConfig], folder: Path, where: str) -> list[Mistake]:
    """What never existed of all that a config reads at the places `outside`. `content`: the config,
    or what its file says; a plugin that is wrong itself is passed over. Raises Unavailable where
    that is all there is to say.
    """
    found, silent = list[Mistake](), list[Unavailable]()
    for pattern in model.outside:
        for place, entry in places(content, pattern):
            if (plugin := _built(entry, model.plugins[pattern])) is None:
                continue
            try:
                plugin.at(folder).check()
            except UsageError as error:
                found.append(Mistake(error.message, joined(where, place), error.hint))
            except Unavailable as error:
                silent.append(error)
    if silent and not found:
        raise silent[0]
    return found


def _built(entry: object, family: type[Plugin]) -> Outside | None:
    try:
        return cast("Outside", Spec.model_validate(entry).build(family))
    except (ValidationError, UsageError):
        return None


def places(content: object, pattern: str) -> Iterator[tuple[Place, object]]:
    """What stands at the places of a pattern, each with its path, in a config or in what its file
    says.
    """
    key, _, rest = pattern.partition(".")
    for name, inner in _children(content, key):
        if rest:
            yield from (([name, *place], value) for place, value in places(inner, rest))
        else:
            yield [name], inner


def _children(content: object, key: str) -> list[tuple[int | str, object]]:
    if isinstance(content, BaseModel):
        return [(key, getattr(content, key))] if key in type(content).model_fields else []
    if isinstance(content, list) and key == "*":
        return list(enumerate(content))
    if isinstance(content, Mapping):
        named = content.items() if key == "*" else [(key, content[key])] if key in content else []
        return [(str(name), inner) for name, inner in named]
    return []


def put(content: object, place: Place, value: object) -> None:
    """Write a value at a place that `places` has found."""
    *above, last = place
    for key in above:
        content = content[key]  # type: ignore[index]  # a place that `places` has found
    if isinstance(content, MutableMapping | MutableSequence):
        content[last] = value  # type: ignore[index]
