"""Why a document is not found: it is in quarantine, left out for a better one, erased, or not taken
by its source.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

from sqlalchemy import or_, select

from llmops.tasks.errors import ConfigError, LlmopsError, NearDuplicate, UsageError
from llmops.tasks.knowledge.handle import Handle, known
from llmops.tasks.knowledge.quarantine import QuarantineItem, public_item
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.knowledge.versions import build_command
from llmops.tasks.ledger import Ledger, existing_ledger
from llmops.tasks.ledger.leases import aware, holder
from llmops.tasks.ledger.tables import erased, quarantine
from llmops.tasks.maintenance.explain import Provenance, explain
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.sources import Source

Why = Literal["quarantined", "duplicate", "erased", "left_out", "not_built_yet"]


class AbsentDocument(TypedDict):
    """The object of `explain` for a document that no version has. `message`: why, in a sentence;
    `item`: of the quarantine, where it is there.
    """

    kind: Literal["absent"]
    id: str
    knowledge_base: str
    uri: str
    source: str
    why: Why
    message: str
    hint: str
    item: QuarantineItem | None


class _OfSource(NamedTuple):
    """A source of a knowledge base, and what it calls the document."""

    kb: str
    source: str
    uri: str
    left_out: str


def explained(home: Path, given: str, kb: str | None = None) -> Provenance | AbsentDocument:
    """As `explain`, also by the path of a file; and why something is not there. Raises UsageError
    as it does, for what nobody knows anything of.
    """
    try:
        return explain(home, given, kb)
    except UsageError as unknown:
        ledger = existing_ledger(home)
        found = why_left_out(ledger, home, given.strip(), kb)
        if not found:
            raise
        first = found[0]
        if first["why"] == "not_built_yet" and first["uri"] != given:
            with contextlib.suppress(UsageError):  # it is there, by the name of its source
                return explain(home, first["uri"], first["knowledge_base"])
        bases = sorted({each["knowledge_base"] for each in found})
        if len(bases) > 1:
            raise UsageError(
                f"{given!r} is left out of {len(bases)} knowledge bases: {', '.join(bases)}",
                hint=f"say which: --kb {bases[0]}",
            ) from unknown
        return first


def why_left_out(ledger: Ledger, home: Path, given: str, kb: str | None) -> list[AbsentDocument]:
    """By knowledge base; empty where nothing is known of it. `given`: a uri, a path or a URL."""
    bases = [kb] if kb else known(ledger)
    seen = [each for name in bases for each in _known_names(home, name, given)]
    uris = {name: {given, *(each.uri for each in seen if each.kb == name)} for name in bases}
    found = [each for name in bases for each in _erased(ledger, name, sorted(uris[name]))]
    found += [each for name in bases for each in _quarantined(ledger, name, sorted(uris[name]))]
    told = {each["knowledge_base"] for each in found}
    return found + [_of_source(ledger, home, each) for each in seen if each.kb not in told]


def _known_names(home: Path, kb: str, given: str) -> Iterator[_OfSource]:
    """What the sources of the live version say of it."""
    try:
        config = Handle(home=home, name=kb).published().config
    except UsageError:  # nothing is live: it is not known which sources it has
        return
    for content in config.get("sources", ()):
        try:
            spec = Spec.model_validate(content)
            source = spec.build(Source).at(Path(config.get("folder", ".")))
            known_name = source.known_as(given)
        except (ConfigError, LlmopsError, OSError):  # a plugin or a folder that is gone
            continue
        if known_name is not None:
            yield _OfSource(kb, spec.id, known_name.uri, known_name.left_out)


def _erased(ledger: Ledger, kb: str, uris: Sequence[str]) -> list[AbsentDocument]:
    hashes = {uri_hash(kb, uri): uri for uri in uris}
    mine = (erased.c.kb == kb) & erased.c.uri_hash.in_(hashes) & erased.c.lifted_at.is_(None)
    with ledger.read() as connection:
        rows = connection.execute(select(erased).where(mine)).all()
    return [
        _left_out(
            *(kb, hashes[row.uri_hash], "", "erased"),
            f"it was erased at {aware(row.erased_at):%Y-%m-%d %H:%M} UTC, and builds skip it",
            f"where it may come back: llmops kb erase {kb} --uri URI --lift",
        )
        for row in rows
    ]


def _quarantined(ledger: Ledger, kb: str, uris: Sequence[str]) -> list[AbsentDocument]:
    parts = [quarantine.c.uri.startswith(f"{uri}#", autoescape=True) for uri in uris]
    wanted = or_(quarantine.c.uri.in_(uris), *parts)  # also the rows of a file: `file#key`
    query = select(quarantine).where(quarantine.c.kb == kb, wanted).order_by(quarantine.c.uri)
    with ledger.read() as connection:
        rows = connection.execute(query).all()
    return [_of_quarantine(public_item(row)) for row in rows]


def _of_quarantine(item: QuarantineItem) -> AbsentDocument:
    twin = item["error"] == NearDuplicate.__name__
    tries = f", {item['attempts']} attempts" if item["attempts"] > 1 else ""
    return _left_out(
        *(item["knowledge_base"], item["uri"], item["source"]),
        "duplicate" if twin else "quarantined",
        f"it is {item['reason']}"
        if twin
        else f"it is in quarantine since {item['first_seen'][:10]}{tries}, at the stage "
        f"{item['stage']}: {item['reason']} ({item['next_try']})",
        "the cleaner near_duplicates leaves it out"
        if twin
        else f"mend it and build again, or try it as it is: llmops quarantine retry {item['id']}",
        item,
    )


def _of_source(ledger: Ledger, home: Path, seen: _OfSource) -> AbsentDocument:
    if seen.left_out:
        return _left_out(
            *(seen.kb, seen.uri, seen.source, "left_out"),
            f"the source {seen.source!r} does not take it: {seen.left_out}",
            "change the source in the config, and build again",
        )
    who = holder(ledger, seen.kb)
    command = build_command(Handle(home=home, name=seen.kb))
    return _left_out(
        *(seen.kb, seen.uri, seen.source, "not_built_yet"),
        f"the source {seen.source!r} has it, and no version does: it came after the last build",
        f"a build is running: {who}" if who else f"build again: {command}",
    )


def _left_out(
    kb: str,
    uri: str,
    source: str,
    why: Why,
    message: str,
    hint: str,
    item: QuarantineItem | None = None,
) -> AbsentDocument:
    return {
        "kind": "absent",
        "id": uri,
        "knowledge_base": kb,
        "uri": uri,
        "source": source,
        "why": why,
        "message": message,
        "hint": hint,
        "item": item,
    }
