"""A config as it stands in the form of the tab *Build*: opened from a file, changed by what is
typed and by its buttons, and turned into a config again.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from llmops.configs.index import IndexConfig
from llmops.configs.reading import Content
from llmops.deployments.app.page.bounds import Bounds
from llmops.deployments.app.page.forms import PluginForm, chosen, form_of, typed
from llmops.deployments.app.page.workplace import specs
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec

SLOTS: Mapping[str, str] = {"chunk": "chunkers", "embed": "embedders"}
LISTS: Mapping[str, str] = {"sources": "sources", "clean": "cleaners"}
ACTION = re.compile(r"(?P<verb>add|remove|up)-(?P<list>sources|clean)(\.(?P<place>\d{1,3}))?")
MOST = 50
"""Sources, and cleaners, that a form shows."""
Entry = dict[str, Any]
"""A plugin of a config: its name beside its options."""
DEFAULTS = IndexConfig.default_plugins()


@dataclass(frozen=True)
class DraftPlugin:
    """A plugin in the form. `given`: what its inputs hold; `was`: its entry in the file, None for
    one that is new; `place`: where that stands there.
    """

    family: str
    name: str
    given: Mapping[str, str] = field(default_factory=dict)
    was: Spec | None = None
    place: int | None = None

    @property
    def form(self) -> PluginForm:
        """One without fields for a plugin that there is not: its entry stays as it is."""
        try:
            return form_of(self.family, self.name)
        except ConfigError:
            return PluginForm(self.family, self.name)

    @property
    def inputs(self) -> dict[str, str]:
        shown = {field.name: field.default for field in self.form.fields if field.kind == "choice"}
        return {**dict.fromkeys((f.name for f in self.form.fields), ""), **shown, **self.given}

    def entry(self) -> tuple[Entry, list[Mistake]]:
        """The entry of the config, and what is wrong with what was typed, by its field."""
        before = self.was.options if self.was and self.was.name == self.name else {}
        found = chosen(self.form, self.given, before)
        return {"name": self.name, **found.options}, found.mistakes


class DraftQuestion(NamedTuple):
    """A golden question, and the document that answers it."""

    question: str = ""
    uri: str = ""

    @property
    def empty(self) -> bool:
        return not (self.question or self.uri)


@dataclass(frozen=True)
class ConfigDraft:
    """`file`: "" for a config that is not written yet. `before`: what the file says."""

    file: str
    knowledge_base: str
    sources: tuple[DraftPlugin, ...] = ()
    clean: tuple[DraftPlugin, ...] = ()
    chunk: DraftPlugin = DraftPlugin("chunkers", DEFAULTS["chunk"].name)
    embed: DraftPlugin = DraftPlugin("embedders", DEFAULTS["embed"].name)
    questions: tuple[DraftQuestion, ...] = ()
    before: Content = field(default_factory=dict)

    def acted(self, action: str) -> "ConfigDraft":
        """The draft after one of its buttons: `add-sources:files`, `remove-clean.1`, `up-clean.2`,
        `question`; another action changes nothing.
        """
        if action == "question":
            return replace(self, questions=(*self.questions, DraftQuestion()))
        name, _, plugin = action.partition(":")
        match = ACTION.fullmatch(name)
        if match is None:
            return self
        of = match["list"]
        items: list[DraftPlugin] = list(getattr(self, of))
        place = int(match["place"] or 0)
        if match["verb"] == "add":
            if plugin and len(items) < MOST:
                items.append(DraftPlugin(LISTS[of], plugin))
        elif place < len(items):
            moved = items.pop(place)
            if match["verb"] == "up":
                items.insert(max(0, place - 1), moved)
        chosen = tuple(items)
        return replace(self, sources=chosen) if of == "sources" else replace(self, clean=chosen)

    def content(self) -> tuple[Content, list[Mistake]]:
        """The config that it stands for: all that the file says beside it stays. Mistakes say
        where: `sources[0].path`.
        """
        mistakes: list[Mistake] = []
        made: Content = {"flow": "index", "knowledge_base": self.knowledge_base}
        for key in LISTS:
            items: tuple[DraftPlugin, ...] = getattr(self, key)
            made[key] = [
                _entry(item, f"{key}[{place}]", mistakes) for place, item in enumerate(items)
            ]
        for key in SLOTS:
            made[key] = _entry(getattr(self, key), key, mistakes)
        return {**self.before, **made}, mistakes

    def beyond(self, content: Content, bounds: Bounds) -> list[Mistake]:
        """What reaches further than it may; what the file has had all along does not count."""
        found: list[Mistake] = []
        old = {key: specs(self.before.get(key)) for key in LISTS}
        for key, family in LISTS.items():
            for place, spec in enumerate(specs(content[key])):
                if spec not in old[key]:
                    found += bounds.mistakes(family, spec.short(), f"{key}[{place}]")
        for key, family in SLOTS.items():
            for spec in specs([content[key]]):
                if spec != slot_of(self.before, key):
                    found += bounds.mistakes(family, spec.short(), key)
        return found


def _entry(item: DraftPlugin, place: str, mistakes: list[Mistake]) -> Entry:
    entry, wrong = item.entry()
    mistakes += [replace(each, where=f"{place}.{each.where}") for each in wrong]
    return entry


def offered_name(typed: str) -> str:
    """The name of a knowledge base that is nearest to what somebody typed: `Office guide` is
    `office-guide`. What holds no Latin letter stays as it is, and is told to be wrong.
    """
    plain = unicodedata.normalize("NFKD", typed).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-")
    return name or typed


def new(kb: str, path: str) -> ConfigDraft:
    """A draft of a knowledge base of files. `path`: where they are uploaded to."""
    files = DraftPlugin("sources", "files", {"path": path})
    return ConfigDraft("", kb, (files,), _cleaners({}))


def opened(file: str, content: Content) -> ConfigDraft:
    """A draft of what a file says."""
    sources = enumerate(specs(content.get("sources")))
    return ConfigDraft(
        file=file,
        knowledge_base=str(content.get("knowledge_base", "")),
        sources=tuple(_of("sources", spec, place) for place, spec in sources),
        clean=_cleaners(content),
        chunk=_of("chunkers", slot_of(content, "chunk")),
        embed=_of("embedders", slot_of(content, "embed")),
        before=content,
    )


def slot_of(content: Mapping[str, object], key: str) -> Spec:
    """The plugin that a config has for a key, the default one where it names none."""
    entry = content.get(key)
    if isinstance(entry, Mapping) and "name" not in entry:
        return Spec(name=DEFAULTS[key].name, options=dict(entry))
    found = specs([entry])
    return found[0] if found else DEFAULTS[key]


def cleaners_of(content: Mapping[str, object]) -> list[Spec]:
    default: list[Spec] = IndexConfig.model_fields["clean"].default
    return specs(content["clean"]) if "clean" in content else default


def _cleaners(content: Mapping[str, object]) -> tuple[DraftPlugin, ...]:
    return tuple(_of("cleaners", spec, n) for n, spec in enumerate(cleaners_of(content)))


def _of(family: str, spec: Spec, place: int | None = None) -> DraftPlugin:
    item = DraftPlugin(family, spec.name, was=spec, place=place)
    return replace(item, given=typed(item.form, spec.options))


def submitted(fields: Mapping[str, str], file: str, before: Content) -> ConfigDraft:
    """What a form sends. `before`: what the file says, {} for a new one."""
    own = str(before.get("knowledge_base", "")) if file else fields.get("knowledge_base", "")
    old = {"sources": specs(before.get("sources")), "clean": cleaners_of(before)}
    return ConfigDraft(
        file=file,
        knowledge_base=own.strip(),
        sources=_list(fields, "sources", old["sources"]),
        clean=_list(fields, "clean", old["clean"]),
        chunk=_slot(fields, "chunk", before),
        embed=_slot(fields, "embed", before),
        questions=tuple(_questions(fields)),
        before=before,
    )


def _list(fields: Mapping[str, str], key: str, old: list[Spec]) -> tuple[DraftPlugin, ...]:
    found = []
    for number in range(MOST):
        prefix = f"{key}.{number}."
        name = fields.get(f"{prefix}name", "")
        if not name:
            break
        was = fields.get(f"{prefix}was", "")
        place = next((n for n in range(len(old)) if was == str(n)), None)
        spec = old[place] if place is not None and old[place].name == name else None
        given = _given(fields, prefix)
        found.append(DraftPlugin(LISTS[key], name, given, spec, place if spec else None))
    return tuple(found)


def _slot(fields: Mapping[str, str], key: str, before: Content) -> DraftPlugin:
    name = fields.get(f"{key}.name", "") or DEFAULTS[key].name
    spec = slot_of(before, key)
    return DraftPlugin(
        SLOTS[key], name, _given(fields, f"{key}."), spec if spec.name == name else None
    )


def _given(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The inputs of one plugin."""
    own = {key.removeprefix(prefix): text for key, text in fields.items() if key.startswith(prefix)}
    return {key: text for key, text in own.items() if key not in ("name", "was")}


def _questions(fields: Mapping[str, str]) -> list[DraftQuestion]:
    found = []
    for number in range(MOST):
        prefix = f"golden.{number}."
        if f"{prefix}question" not in fields:
            break
        question, picked, uri = (
            fields.get(prefix + key, "").strip() for key in ("question", "pick", "uri")
        )
        found.append(DraftQuestion(question, picked or uri))
    return found
