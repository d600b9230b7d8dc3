"""The start of a build: what its config stands for, where it writes, and what is live before it."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func, select

from llmops.tasks.errors import Blocked, Damaged
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.build import Build, Fingerprints, Specs
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.lakes import claim
from llmops.tasks.knowledge.naming import collection_name
from llmops.tasks.knowledge.outcome import Outcome, Steps, Totals, outcome_of
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.versions import next_number, register
from llmops.tasks.ledger import live_at, now, open_ledger
from llmops.tasks.ledger.tables import chunks, documents
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner, CorpusCleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.parsers import ParseOptions, all_parsers
from llmops.tasks.texts.language import unread


def begin(handle: Handle, run_id: str | None = None, *, gated: bool = False) -> Steps:
    """The steps of a run that has done nothing yet; the knowledge base becomes known."""
    register(handle)
    return steps_of(handle, run_id, gated=gated)


def steps_of(handle: Handle, run_id: str | None = None, *, gated: bool = False) -> Steps:
    """The same for a look ahead, which leaves no knowledge base behind."""
    open_ledger(handle.home)
    live = handle.live()
    return Steps(handle.name, run_id, live.version if live else None, gated)


def blocked(handle: Handle, stop: Blocked) -> Outcome:
    """The outcome of a run that could not begin."""
    return outcome_of(replace(begin(handle), stopped=stop))


def start(handle: Handle, specs: Specs, *, run_id: str | None = None, full: bool = False) -> Build:
    """A build towards the next version, to be called with the lease held: what is live does not
    change meanwhile.
    """
    claim(handle)
    live, number = handle.live(), next_number(handle)
    fingerprints = fingerprints_of_specs(specs)
    name = collection_name(
        handle.name, fingerprints.model, specs.open_store(), specs.metadata_schema
    )
    collection = _collection(handle, live, name, number)
    return Build(
        handle=handle,
        version=number,
        live=live.version if live else None,
        specs=specs,
        fingerprints=fingerprints,
        full=full,
        began=now(),
        collection=collection,
        fresh=live is None or live.collection != collection,
        run_id=run_id or "local",
    )


def _collection(handle: Handle, live: Version | None, name: str, number: int) -> str:
    """Where to stage: beside the live version in its own collection, in a new one where that is
    another or is lost.
    """
    if live is None or live.collection.partition(".")[0] != name:
        return name
    try:
        collection_of(handle.home, live).at(live.snapshot or "").count()
    except Damaged:
        return f"{name}.{number}"
    return live.collection


def fingerprints_of_specs(specs: Specs) -> Fingerprints:
    """The fingerprints of what a config asks for. Builds the plugins, loads no model."""
    suite = specs.suite.read_text(encoding="utf-8") if specs.suite else ""
    return fingerprints_of(
        specs.cleaners(),
        suite,
        specs.chunker(),
        specs.embedder(),
        specs.metadata_schema,
        ParseOptions.model_validate(specs.parse),
    )


def fingerprints_of(
    cleaners: Sequence[Cleaner],
    suite: str,
    chunker: Chunker,
    embedder: Embedder,
    schema: MetadataSchema,
    options: ParseOptions,
) -> Fingerprints:
    """The fingerprints of a configuration's stages. `suite`: the text of the expectations; the
    schema belongs to the chunks' rows.
    """
    parse, model = all_parsers(options), embedder.fingerprint()
    clean = tuple(cleaner.fingerprint() for cleaner in cleaners)
    readers = schema.model_dump_json(include={"access", "sources"})
    corpus = tuple(
        digest(parse, readers, *clean[: place + 1])
        for place, cleaner in enumerate(cleaners)
        if isinstance(cleaner, CorpusCleaner)
    )
    return Fingerprints(
        parse=parse,
        clean=clean,
        check=suite,
        chunk=(chunker.fingerprint(), model, schema.model_dump_json()),
        model=model,
        corpus=corpus,
        options=options,
        letters=tuple(sorted(unread(embedder.languages))),
    )


def totals(build: Build) -> Totals:
    """Documents and chunks of the live version."""
    if build.live is None:
        return Totals()
    with build.ledger.read() as connection:
        counts = [
            connection.scalar(
                select(func.count())
                .select_from(table)
                .where(table.c.kb == build.kb, live_at(table, build.live))
            )
            for table in (documents, chunks)
        ]
    return Totals(*(count or 0 for count in counts))
